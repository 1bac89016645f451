"""One pool of connections per tenant: what one of them holds open is no other's."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

import httpcore2

from contracts.ids import TenantId
from services.sync.revocation import Unlisted

Pool = httpcore2.AsyncConnectionPool
# What was accepted for a call that allows it is used by no call that does not.
_Whose = tuple[TenantId, Unlisted]


class Pools:
    """At most `most` pools that carry nothing; beyond that the longest unused ones are closed.

    A pool closes idle connections only when it is used again, so that without a bound each tenant
    that was ever sent for would keep its sockets.
    """

    def __init__(self, make: Callable[[], Pool], most: int) -> None:
        self._make, self._most = make, most
        self._pools: dict[_Whose, Pool] = {}
        self._calls: Counter[_Whose] = Counter()

    @contextlib.asynccontextmanager
    async def of(self, tenant: TenantId, unlisted: Unlisted) -> AsyncIterator[Pool]:
        """The tenant's pool, for one call."""
        whose = tenant, unlisted
        pool = self._pools.pop(whose, None) or self._make()
        self._pools[whose] = pool
        self._calls[whose] += 1
        try:
            yield pool
        finally:
            self._calls[whose] -= 1
            await self._close_unused()

    async def close(self) -> None:
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.aclose()

    async def _close_unused(self) -> None:
        self._calls += Counter()  # forgets whoever has none
        unused = [whose for whose in self._pools if whose not in self._calls]
        for whose in unused[: max(len(unused) - self._most, 0)]:
            await self._pools.pop(whose).aclose()
