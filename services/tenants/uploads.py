"""Turns for uploads: their rows keep a core busy, so one tenant has one turn at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from kit.problems import TooManyRequests


class Uploads:
    """At most `at_once` uploads are worked on, of them one per tenant; who waits longer than
    `wait_s` seconds for a turn is asked to come back (TooManyRequests)."""

    def __init__(self, *, at_once: int = 2, wait_s: float = 10.0) -> None:
        self._turns, self._wait_s = asyncio.Semaphore(at_once), wait_s
        self._tenants: dict[UUID, asyncio.Lock] = {}
        self._waiting: dict[UUID, int] = {}

    @asynccontextmanager
    async def turn(self, tenant: UUID) -> AsyncIterator[None]:
        own = self._tenants.setdefault(tenant, asyncio.Lock())
        self._waiting[tenant] = self._waiting.get(tenant, 0) + 1
        try:
            await self._take(own)
            try:
                yield
            finally:
                self._turns.release()
                own.release()
        finally:
            self._forget(tenant)

    async def _take(self, own: asyncio.Lock) -> None:
        """The tenant's own first: its second upload must not hold one that others could use."""
        try:
            async with asyncio.timeout(self._wait_s):
                await own.acquire()
                try:
                    await self._turns.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError:
            raise TooManyRequests("other uploads are under way", retry_after_s=5) from None

    def _forget(self, tenant: UUID) -> None:
        self._waiting[tenant] -= 1
        if not self._waiting[tenant]:
            del self._waiting[tenant], self._tenants[tenant]
