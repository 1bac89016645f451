"""One budget of tenant connections: LRU eviction, a cap per tenant, FIFO wait, cancel-safe."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from prometheus_client import Gauge

from contracts.ids import TenantId
from kit.problems import DependencyDown
from kit.supervisor import spawn

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection
Opener = Callable[[TenantId], Awaitable[Connection]]

_CLOSE_S = 2.0
_CONNECTIONS = Gauge(
    "bulkhead_tenant_connections", "Connections to tenant databases of this process.", ["state"]
)
_MOST = Gauge("bulkhead_tenant_connections_most", "What this process may have of them.")


@dataclass(eq=False)
class Slot:
    """One unit of the budget, held by a tenant from the grant until the connection is gone."""

    tenant: TenantId
    held: Connection | None = None
    victim: Connection | None = None
    stale: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def connection(self) -> Connection:
        assert self.held is not None
        return self.held

    def is_usable(self) -> bool:
        return not self.stale and self.held is not None and not self.held.is_closed()


class Budget:
    """At most `total` connections in all and `per_tenant` for one tenant.

    Whoever waits is served in order of arrival, except that a tenant at its own cap never blocks
    another. A wait longer than `wait_s` seconds raises DependencyDown.
    """

    def __init__(self, opener: Opener, *, total: int, per_tenant: int, wait_s: float) -> None:
        self._opener, self._total, self._cap, self._wait_s = opener, total, per_tenant, wait_s
        self._count: Counter[TenantId] = Counter()
        self._idle: OrderedDict[Slot, None] = OrderedDict()
        self._used: set[Slot] = set()
        self._waiting: OrderedDict[asyncio.Future[Slot], TenantId] = OrderedDict()
        _MOST.set_function(lambda: self._total)
        _CONNECTIONS.labels("used").set_function(lambda: len(self._used))
        _CONNECTIONS.labels("idle").set_function(lambda: len(self._idle))
        _CONNECTIONS.labels("waited-for").set_function(lambda: len(self._waiting))

    async def take(self, tenant: TenantId) -> tuple[Slot, bool]:
        """A slot with an open connection, and whether the connection is a new one."""
        slot = await self._granted(tenant)
        if slot.held is not None:
            return slot, False
        try:
            if slot.victim is not None:
                await _close(slot.victim)
                slot.victim = None
            slot.held = await self._opener(tenant)
        except BaseException:
            self.give_back(slot)
            raise
        return slot, True

    def give_back(self, slot: Slot) -> None:
        """Return a slot; a connection that is closed or stale leaves the budget."""
        self._used.discard(slot)
        if slot.is_usable():
            self._idle[slot] = None
        else:
            self._forget(slot)
        self._serve()

    async def drain(self, tenant: TenantId, *, within_s: float = 5.0) -> None:
        """Close the tenant's idle connections, wait for the busy ones, then cut those."""
        busy = [slot for slot in self._used if slot.tenant == tenant]
        for slot in busy:
            slot.stale = True
        idle = [slot for slot in self._idle if slot.tenant == tenant]
        for slot in idle:
            del self._idle[slot]
            self._forget(slot)
        await asyncio.gather(*(_close(slot.connection) for slot in idle))
        waits = [spawn(_gone(slot), "drain") for slot in busy]
        if waits:
            _, late = await asyncio.wait(waits, timeout=within_s)
            for wait in late:
                wait.cancel()
        for slot in busy:
            if slot.held is not None and not slot.gone.is_set():
                slot.held.terminate()
        self._serve()

    async def close(self) -> None:
        """Drain every tenant."""
        await asyncio.gather(*(self.drain(tenant) for tenant in list(self._count)))

    async def _granted(self, tenant: TenantId) -> Slot:
        future: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting[future] = tenant
        self._serve()
        try:
            async with asyncio.timeout(self._wait_s):
                return await future
        except BaseException as error:
            self._waiting.pop(future, None)
            if future.done() and not future.cancelled():
                self.give_back(future.result())  # granted and cancelled in the same moment
            if isinstance(error, TimeoutError):
                raise DependencyDown("all database connections are busy") from None
            raise

    def _serve(self) -> None:
        for future, tenant in list(self._waiting.items()):
            slot = None if future.done() else self._grant(tenant)
            if slot is not None:
                self._used.add(slot)
                future.set_result(slot)
            if future.done():
                del self._waiting[future]

    def _grant(self, tenant: TenantId) -> Slot | None:
        own = next((slot for slot in reversed(self._idle) if slot.tenant == tenant), None)
        if own is not None:
            del self._idle[own]
            return own
        if self._count[tenant] >= self._cap:
            return None
        victim = None
        if self._count.total() >= self._total:
            if not self._idle:
                return None
            oldest, _ = self._idle.popitem(last=False)
            self._forget(oldest)
            victim = oldest.held
        self._count[tenant] += 1
        return Slot(tenant, victim=victim)

    def _forget(self, slot: Slot) -> None:
        slot.gone.set()
        self._count[slot.tenant] -= 1
        if not self._count[slot.tenant]:
            del self._count[slot.tenant]
        if slot.victim is not None:
            slot.victim.terminate()  # granted, but never used: what had to go still goes
        if slot.stale and slot.held is not None and not slot.held.is_closed():
            slot.held.terminate()


async def _close(connection: Connection) -> None:
    """Close in order, so that the server's slot is free when this returns; cut what hangs."""
    try:
        await connection.close(timeout=_CLOSE_S)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def _gone(slot: Slot) -> None:
    await slot.gone.wait()
