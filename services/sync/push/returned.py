"""Rows that are believed gone, or there, unasked since a resync: what the CRM says of them holds.

What nobody has is treated as the row of a vanished record: by the module's policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit import clock
from kit.db import WriteSession
from services.sync.connection import ModuleMapping
from services.sync.crm import Crm, Verdict
from services.sync.push.fence import Fence
from services.sync.push.patience import second_look
from services.sync.store import left_rows, outgoing, regaining
from services.sync.store.left_rows import LeftRow
from services.sync.store.regaining import NOBODY, ReturnedRow

_AT_ONCE = 500


@dataclass(frozen=True)
class Returned:
    """One module's rows; nothing else of it is on its way."""

    fence: Fence
    crm: Crm
    module: str
    mapping: ModuleMapping

    async def look(self) -> bool | Verdict:
        """Ask for all that are to be looked at, some at a time; whether any is due now, or a
        Verdict where the CRM does not tell. Raises Overtaken, Stopped."""
        after, is_any = left_rows.FIRST, False
        while rows := await self._due(after):
            after = rows[-1].crm_id
            keys = await self.crm.keys_of(self.mapping, [row.crm_id for row in rows])
            if isinstance(keys, Verdict):
                return keys
            async with self.fence.writing() as session:
                rest, has_left = await self._believed(session, rows, keys)
                is_any = await self._arrange(session, rest, keys) or has_left or is_any
        return is_any

    async def _due(self, after: str) -> list[LeftRow]:
        async with self.fence.db.read() as session:
            await self.fence.require_permission(session)
            of = (self.fence.connection, self.module)
            return await left_rows.due(session, *of, after, _AT_ONCE)

    async def _believed(
        self, session: WriteSession, rows: Sequence[LeftRow], keys: Mapping[str, str]
    ) -> tuple[list[LeftRow], bool]:
        """Those without an owner, or with one that is wrong about them; whether there are such."""
        id_ = self.fence.connection
        owned = await regaining.owners(session, id_, [row.crm_id for row in rows])
        right = [one for one, key in owned.items() if keys.get(one) == key]
        wrong = {one: key for one, key in owned.items() if keys.get(one) != key}
        await left_rows.take(session, id_, right)
        await regaining.dispossess(session, id_, dict.fromkeys(wrong, NOBODY))
        left = [key for key in wrong.values() if key is not None]
        await outgoing.wake_parked(session, id_, self.module, left)
        return [row for row in rows if row.crm_id not in right], bool(wrong)

    async def _arrange(
        self, session: WriteSession, rows: Sequence[LeftRow], keys: Mapping[str, str]
    ) -> bool:
        id_ = self.fence.connection
        there = {
            row.crm_id: ReturnedRow(row, keys[row.crm_id] or str(row.record))
            for row in rows
            if row.crm_id in keys
        }
        wanted = sorted({one.key for one in there.values()})
        claimed = await regaining.claimed(session, id_, self.module, wanted)
        free = {one.key: one for one in there.values() if one.key not in claimed}
        absent = [row.crm_id for row in rows if row.crm_id not in there]
        others = there.keys() - {one.row.crm_id for one in free.values()}
        await left_rows.look_at(session, id_, absent, None)
        # whoever has the key will get the row with it; if not, somebody has to look once more
        await left_rows.look_at(session, id_, others, clock.now() + second_look(1))
        await left_rows.take(session, id_, [one.row.crm_id for one in free.values()])
        await regaining.regain(session, id_, list(free.values()))
        return bool(free)
