"""Tells the other services that a tenant's journal has advanced: at most ten times a second each.

A notice lost with this process costs delay only: every consumer sweeps the positions anyway.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from contracts.events import FieldChoiceChanged, JournalAdvanced
from contracts.ids import TenantId
from contracts.problems import TenantIsSuspended
from kit import logs, outbox
from kit.db import Database
from kit.problems import NotFound
from services.tenants.problems import TenantBeingRestored
from tenantdb import TenantDatabases, journal

_PAUSE_S = 0.1
_PAUSE_AFTER_FAILURE_S = 1.0
_LONGEST_S = 1.0  # for one tenant: the others wait for it
# its readers are not served either, and are told when they are again
_DROPPED = (NotFound, TenantIsSuspended, TenantBeingRestored)
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
        """Write what is waiting; on failure it stays waiting.

        A tenant whose database does not answer holds up no other, and is asked again later.
        """
        self._woken.clear()
        taken, self._advanced = self._advanced, set()
        try:
            await self._write(await asyncio.gather(*map(self._notice, taken)))
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
        """None where there is nothing to tell, or not yet."""
        try:
            async with asyncio.timeout(_LONGEST_S), self._databases.read(tenant) as session:
                position = await journal.position_now(session)
        except _DROPPED:
            return None
        except Exception as error:
            extra = {"tenant": str(tenant), "error": type(error).__name__}
            _log.warning("a notice waits", extra=extra)
            loop = asyncio.get_running_loop()
            loop.call_later(_PAUSE_AFTER_FAILURE_S, self.advanced, tenant)
            return None
        return JournalAdvanced(tenant=tenant, position=position)

    async def _write(self, notices: Iterable[JournalAdvanced | None]) -> None:
        waiting = [notice for notice in notices if notice is not None]
        if waiting:
            async with self._db.write() as session:
                for notice in waiting:
                    await outbox.add(session, notice)
