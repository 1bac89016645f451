"""Tells the other services that a tenant's journal has advanced: at most ten times a second each.

A notice lost with this process costs delay only: every consumer sweeps the positions anyway.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from contracts.events import FieldChoiceChanged, JournalAdvanced
from contracts.ids import TenantId
from kit import logs, outbox
from kit.db import Database
from kit.problems import Problem
from tenantdb import TenantDatabases, journal

_PAUSE_S = 0.1
_PAUSE_AFTER_FAILURE_S = 1.0
_log = logs.get(__name__)


class Notices:
    """Collects which journals have advanced and writes one notice for each into the outbox."""

    def __init__(self, db: Database, databases: TenantDatabases) -> None:
        self._db, self._databases = db, databases
        self._advanced: set[TenantId] = set()
        self._woken = asyncio.Event()

    def advanced(self, tenant: TenantId) -> None:
        """Call after every committed write; costs nothing."""
        self._advanced.add(tenant)
        self._woken.set()

    async def field_choice_changed(self, tenant: TenantId, connection: UUID) -> None:
        """Write the notice of a changed choice at once."""
        async with self._db.write() as session:
            await outbox.add(session, FieldChoiceChanged(tenant=tenant, connection=connection))

    async def run(self) -> None:
        """Run until cancelled; what is still waiting then is written first."""
        try:
            while True:
                await self._woken.wait()
                await asyncio.sleep(_PAUSE_S)
                if not await self._flush_or_keep():
                    await asyncio.sleep(_PAUSE_AFTER_FAILURE_S)
        finally:
            await self._flush_or_keep()

    async def flush(self) -> None:
        """Write what is waiting; on failure it stays waiting."""
        self._woken.clear()
        taken, self._advanced = self._advanced, set()
        try:
            await self._write([await self._notice(tenant) for tenant in taken])
        except BaseException:
            self._advanced |= taken
            self._woken.set()
            raise

    async def _flush_or_keep(self) -> bool:
        try:
            await self.flush()
        except Exception as error:
            _log.warning("notices wait", extra={"error": type(error).__name__})
            return False
        return True

    async def _notice(self, tenant: TenantId) -> JournalAdvanced | None:
        """None where the tenant may not be used just now: its readers are not served either."""
        try:
            async with self._databases.read(tenant) as session:
                position = await journal.position_now(session)
        except Problem as problem:
            _log.warning("no notice", extra={"tenant": str(tenant), "error": problem.slug})
            return None
        return JournalAdvanced(tenant=tenant, position=position)

    async def _write(self, notices: Iterable[JournalAdvanced | None]) -> None:
        waiting = [notice for notice in notices if notice is not None]
        if waiting:
            async with self._db.write() as session:
                for notice in waiting:
                    await outbox.add(session, notice)
