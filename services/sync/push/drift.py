"""Notices that a CRM's tables are not what they were, by its own description and never by an error.

A change is told to the tenant; a mapping that cannot work any more stops the connection before a
row is sent.
"""

from dataclasses import dataclass

from contracts.events import ConnectionChanged
from kit import outbox
from kit.db import WriteSession
from services.sync.connection import Connection
from services.sync.crm import Crm, Meaning, Target, Verdict
from services.sync.push.fence import Fence
from services.sync.store import described
from services.sync.store.described import DescribedRow

_MOST = 50  # sentences


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
        words = [] if known is None else target.changes_since(known.facts)
        async with self.fence.writing() as session:
            fresh = DescribedRow(target.fingerprint, target.described)
            await described.put(session, self.connection.id, module, fresh)
            if words:
                await self._tell(session, [f"module {module}: {one}" for one in words[:_MOST]])

    async def _tell(self, session: WriteSession, words: list[str]) -> None:
        await described.note_changes(session, self.connection.id, words)
        tenant, id_ = self.connection.tenant, self.connection.id
        await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))
