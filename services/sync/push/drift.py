"""Notices that a CRM's tables are not what they were, by its own description and never by an error.

A change is told to the tenant, and what was refused by what had been described is looked at again;
a mapping that cannot work any more stops the connection before a row is sent.
"""

from dataclasses import dataclass

from contracts.events import ConnectionChanged
from kit import outbox
from kit.db import WriteSession
from services.sync.connection import Connection
from services.sync.crm import Crm, Meaning, Target, Verdict
from services.sync.push.fence import Fence
from services.sync.store import described, outcomes
from services.sync.store.described import DescribedRow

_MOST = 50  # sentences
_AT_ONCE = 5000  # rows in a transaction


@dataclass(frozen=True)
class Drift:
    """Compares with what was described when one of the pushes before this one looked."""

    fence: Fence
    connection: Connection
    crm: Crm

    async def look(self, module: str) -> Target | Verdict:
        """What the module goes into now, or why nothing of it can be sent. Raises Overtaken."""
        target = await self.crm.target(self.connection.modules[module])
        if isinstance(target, Verdict):
            return target
        await self._compare(module, target)
        if not target.faults:
            return target
        return Verdict(Meaning.BROKEN, f"module {module}: {target.faults[0]}", code="schema")

    async def _compare(self, module: str, target: Target) -> None:
        async with self.fence.db.read() as reading:
            known = await described.get(reading, self.connection.id, module)
        if known is not None and known.fingerprint == target.fingerprint:
            return
        if known is not None:
            await self._wake_refused(module)
        words = [] if known is None else target.changes_since(known.facts)
        async with self.fence.writing() as session:
            fresh = DescribedRow(target.fingerprint, target.described)
            await described.put(session, self.connection.id, module, fresh)
            if words:
                await self._tell(session, [f"module {module}: {one}" for one in words[:_MOST]])

    async def _wake_refused(self, module: str) -> None:
        """All of them before the new description is known: until then it is done anew by whoever
        looks next."""
        found = _AT_ONCE
        while found == _AT_ONCE:
            async with self.fence.writing() as session:
                found = await outcomes.wake_refused(session, self.connection.id, module, _AT_ONCE)

    async def _tell(self, session: WriteSession, words: list[str]) -> None:
        await described.note_changes(session, self.connection.id, words)
        tenant, id_ = self.connection.tenant, self.connection.id
        await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))
