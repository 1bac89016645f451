"""No connection stays broken because of one answer: each is looked at again, slowly, by itself."""

import asyncio
from collections.abc import Callable

from contracts.events import ConnectionChanged
from contracts.ids import ConnectionId, TenantId
from kit import logs, outbox
from kit.db import Database
from kit.problems import Problem
from services.sync.crm import connection_of
from services.sync.environments import Environments
from services.sync.probes import Probes
from services.sync.store import connections
from services.sync.store.connections import ConnectionRow

Wake = Callable[[TenantId, ConnectionId], None]
_AT_ONCE = 4
_log = logs.get(__name__)


class SecondLooks:
    """`look` takes what is due; one whose CRM is well is active again, and `wake`d."""

    def __init__(
        self, db: Database, environments: Environments, probes: Probes, wake: Wake
    ) -> None:
        self._db, self._environments, self._probes, self._wake = db, environments, probes, wake

    async def look(self) -> None:
        """Until nothing is due; a few at once, so that one that hangs holds few others up."""
        await asyncio.gather(*(self._look_on() for _ in range(_AT_ONCE)))

    async def _look_on(self) -> None:
        while (row := await self._take()) is not None:
            try:
                await self._look(row)
            except Problem as problem:
                _log.warning("no second look", connection=str(row.id), slug=problem.slug)

    async def _take(self) -> ConnectionRow | None:
        async with self._db.write() as session:
            return await connections.take_look(session)

    async def _look(self, row: ConnectionRow) -> None:
        connection = connection_of(row)
        found = await self._probes.look(connection, self._environments.stored(connection))
        if found.failed is not None:
            return
        async with self._db.write() as session:
            if not await connections.set_state(session, row.id, "active", was=["broken"]):
                return
            notice = ConnectionChanged(tenant=row.tenant, connection=row.id)
            await outbox.add(session, notice)
        self._wake(row.tenant, row.id)
