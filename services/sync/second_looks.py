"""No connection stays broken because of one answer: each is looked at again, slowly, by itself.

However many CRMs hang, and whoever they belong to: the others are looked at in time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from contracts.events import ConnectionChanged
from contracts.ids import ConnectionId, TenantId
from kit import logs, outbox
from kit.db import Database
from kit.problems import Problem
from kit.supervisor import end, spawn
from services.sync.crm import connection_of
from services.sync.environments import Environments
from services.sync.probes import Probes
from services.sync.store import connections
from services.sync.store.connections import ConnectionRow

Wake = Callable[[TenantId, ConnectionId], None]
_AT_ONCE, _OF_ONE = 8, 2  # looks under way before they are slow; of one tenant, slow ones with them
_SLOW = 4  # looks that go on beside those, one for a tenant
_QUICK_S = 10.0
_log = logs.get(__name__)


class SecondLooks:
    """`look` takes what is due; one whose CRM is well is active again, and `wake`d.

    A look that is not over after `quick_s` goes on aside, where there is room for it; else it is
    cut, and the next one comes later, as after any that found nothing better.
    """

    def __init__(
        self,
        db: Database,
        environments: Environments,
        probes: Probes,
        wake: Wake,
        *,
        quick_s: float = _QUICK_S,
    ) -> None:
        self._db, self._environments, self._probes, self._wake = db, environments, probes, wake
        self._quick_s, self._taking = quick_s, asyncio.Lock()
        self._under_way = dict[asyncio.Task[None], TenantId]()
        self._slow = dict[asyncio.Task[None], TenantId]()

    async def look(self) -> None:
        """Until nothing is due; slow looks do not hold it up."""
        await asyncio.gather(*(self._look_on() for _ in range(_AT_ONCE)))

    async def close(self) -> None:
        """End the slow ones."""
        await end(*self._slow)

    async def _look_on(self) -> None:
        while (task := await self._begun()) is not None:
            try:
                await asyncio.wait({task}, timeout=self._quick_s)
                if not task.done():
                    self._set_aside(task)
            finally:
                if task not in self._slow:
                    await end(task)

    async def _begun(self) -> asyncio.Task[None] | None:
        """The next look, on its way; None where none is due, but for those of busy tenants."""
        async with self._taking:
            held = Counter(self._under_way.values())
            busy = [tenant for tenant, looks in held.items() if looks >= _OF_ONE]
            async with self._db.write() as session:
                row = await connections.take_look(session, busy)
            if row is None:
                return None
            task = spawn(self._look_logged(row), "second look")
            self._under_way[task] = row.tenant
            task.add_done_callback(self._forget)
        return task

    def _set_aside(self, task: asyncio.Task[None]) -> None:
        tenant = self._under_way[task]
        if len(self._slow) < _SLOW and tenant not in self._slow.values():
            self._slow[task] = tenant

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._slow.pop(task, None)

    async def _look_logged(self, row: ConnectionRow) -> None:
        try:
            await self._look(row)
        except Problem as problem:
            _log.warning("no second look", connection=str(row.id), slug=problem.slug)
        except Exception:
            _log.exception("no second look", connection=str(row.id))

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
