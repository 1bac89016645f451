"""Tells the other services that tenants' journals have advanced: at most ten times a second each.

A notice lost with this process costs delay only: every consumer sweeps the positions anyway.
"""

import asyncio
from uuid import UUID

from contracts.events import FieldChoiceChanged, JournalAdvanced
from contracts.ids import TenantId
from kit import logs, outbox, telemetry
from kit.db import Database
from kit.timers import Timer

_PAUSE_S = 0.1
_AGAIN_S = 1.0
_AT_ONCE = 200
_log = logs.get(__name__)


class Notices:
    """Collects which journals have advanced and writes one notice for each into the outbox.

    `timer` writes them soon after the first came; after a failure it waits a second.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._advanced: dict[TenantId, str] = {}
        self.timer = Timer("notices", _AGAIN_S, self.flush)

    def advanced(self, tenant: TenantId) -> None:
        """Call after every committed write; costs nothing. The last one's trace is told on."""
        if not self._advanced:
            asyncio.get_running_loop().call_later(_PAUSE_S, self.timer.wake)
        self._advanced[tenant] = telemetry.sampled_trace()

    async def field_choice_changed(self, tenant: TenantId, connection: UUID) -> None:
        """Write the notice of a changed choice at once."""
        async with self._db.write() as session:
            await outbox.add(session, FieldChoiceChanged(tenant=tenant, connection=connection))

    async def flush(self) -> None:
        """Write what is waiting, some in each transaction; what fails goes on waiting.

        A tenant stops waiting before its notice is written: who advances meanwhile is told again.
        """
        taken, self._advanced = list(self._advanced.items()), {}
        try:
            while taken:
                async with self._db.write() as session:
                    for tenant, trace in taken[:_AT_ONCE]:
                        with telemetry.bind_trace(trace):
                            await outbox.add(session, JournalAdvanced(tenant=tenant))
                del taken[:_AT_ONCE]
        finally:
            self._advanced = {**dict(taken), **self._advanced}

    async def close(self) -> None:
        """Write what still waits; where that fails, the readers' sweeps find it."""
        try:
            await self.flush()
        except Exception as error:
            _log.warning("notices are lost", error=type(error).__name__)
