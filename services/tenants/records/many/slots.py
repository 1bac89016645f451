"""Slots for uploads, and their checking beside the event loop: what one tenant brings in keeps no
other waiting.

A tenant has one upload at a time in hand, from the first byte that is read of it; two are worked
on at once. Bodies that wait for their slot stay unread.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from kit.problems import BodyTooLarge, TooManyRequests
from kit.workers import TooCostly, Workers
from services.tenants.records.many.checking import Answer, Question

_MODULE = "services.tenants.records.many.checking"


class Uploads:
    """At most `at_once` uploads are worked on, of them one per tenant; who waits longer than
    `wait_s` seconds for a slot, or finds `line` others of the tenant waiting, is asked to come
    back (TooManyRequests)."""

    def __init__(self, *, at_once: int = 2, wait_s: float = 10.0, line: int = 10) -> None:
        self._slots, self._wait_s, self._line = asyncio.Semaphore(at_once), wait_s, line
        self._workers = Workers(_MODULE, count=at_once)
        self._tenants: dict[UUID, asyncio.Lock] = {}
        self._waiting: dict[UUID, int] = {}

    @asynccontextmanager
    async def slot(
        self, tenant: UUID, read: Callable[[], Awaitable[Sequence[bytes]]]
    ) -> AsyncIterator[Sequence[bytes]]:
        """The body in the pieces in which it came, read when the tenant's own slot is free, for as
        long as the block lasts."""
        if self._waiting.get(tenant, 0) > self._line:
            raise _busy()
        own = self._tenants.setdefault(tenant, asyncio.Lock())
        self._waiting[tenant] = self._waiting.get(tenant, 0) + 1
        try:
            async with self._holding(own):
                body = await read()
                async with self._holding(self._slots):
                    yield body
        finally:
            self._forget(tenant)

    async def check(self, question: Question, body: Sequence[bytes]) -> Answer:
        """The checked rows of a body. Raises BodyTooLarge where that takes too long."""
        try:
            return Answer.of(await self._workers.run(question.head(), *body))
        except TooCostly:
            raise BodyTooLarge(
                "checking these rows takes more time or memory than one request may:"
                " send them in several"
            ) from None

    async def close(self) -> None:
        """End the processes that check."""
        await self._workers.close()

    @asynccontextmanager
    async def _holding(self, lock: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait_s):
                await lock.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            yield
        finally:
            lock.release()

    def _forget(self, tenant: UUID) -> None:
        self._waiting[tenant] -= 1
        if not self._waiting[tenant]:
            del self._waiting[tenant], self._tenants[tenant]


def _busy() -> TooManyRequests:
    return TooManyRequests("other uploads are under way", retry_after_s=5)
