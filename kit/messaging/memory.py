"""A broker in memory, for tests that need none: it keeps the same promises as the real one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from kit.messaging import (
    CLOSE_DEADLINE_S,
    DELIVERY_LIMIT,
    LISTED,
    PUBLISH_DEADLINE_S,
    BrokerDown,
    Handler,
    Message,
    PublishFailed,
    Subscription,
)
from kit.messaging.handling import Handled, handle, pause
from kit.supervisor import Loop

UNROUTED_LIMIT = 1000


@dataclass
class _Queue:
    name: str
    dead_letter: bool
    topics: set[str] = field(default_factory=set)
    waiting: deque[tuple[Message, int]] = field(default_factory=deque)
    dead: list[Message] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)


class MemoryBroker:
    """Topic exchange, queues and dead letters of one process; `down` plays an outage."""

    def __init__(self, *, retry_pauses_s: tuple[float, ...] = (0.0,)) -> None:
        self._pauses, self._queues = retry_pauses_s, dict[str, _Queue]()
        self._subscriptions: list[_MemorySubscription] = []
        self._unrouted: deque[Message] = deque(maxlen=UNROUTED_LIMIT)
        self.down = False

    async def publish(self, message: Message, *, deadline_s: float = PUBLISH_DEADLINE_S) -> None:
        if self.down:
            raise PublishFailed("the broker is down")
        matching = [q for q in self._queues.values() if message.topic in q.topics]
        if not matching:
            self._unrouted.append(message)
        for queue in matching:
            async with queue.arrived:
                queue.waiting.append((message, 0))
                queue.arrived.notify()

    async def consume(
        self, queue: str, topics: Sequence[str], handler: Handler, *, dead_letter: bool = True
    ) -> Subscription:
        known = self._queues.setdefault(queue, _Queue(queue, dead_letter))
        known.topics |= set(topics)
        subscription = _MemorySubscription(known, handler, self._pauses)
        self._subscriptions.append(subscription)
        return subscription

    async def dead_letters(self, queue: str) -> list[Message]:
        return self._queues[queue].dead[:LISTED]

    async def unrouted(self) -> list[Message]:
        return list(self._unrouted)[:LISTED]

    async def ping(self) -> None:
        if self.down:
            raise BrokerDown("the broker is down")

    async def close(self) -> None:
        while self._subscriptions:
            await self._subscriptions.pop().close()


class _MemorySubscription:
    def __init__(self, queue: _Queue, handler: Handler, pauses: tuple[float, ...]) -> None:
        self._queue, self._handler, self._pauses = queue, handler, pauses
        self._closing = asyncio.Event()
        self._loop = Loop(f"consumer {queue.name}", self._run)
        self._loop.start()

    async def close(self) -> None:
        self._closing.set()
        async with self._queue.arrived:
            self._queue.arrived.notify_all()
        await self._loop.stop(CLOSE_DEADLINE_S)
        async with self._queue.arrived:
            self._queue.arrived.notify()  # what was cut off is another consumer's now

    async def _run(self) -> None:
        while entry := await self._next():
            await self._deliver(*entry)

    async def _next(self) -> tuple[Message, int] | None:
        queue, closing = self._queue, self._closing
        async with queue.arrived:
            await queue.arrived.wait_for(lambda: bool(queue.waiting) or closing.is_set())
            if closing.is_set():
                queue.arrived.notify()  # it may have been another consumer's call
                return None
            return queue.waiting.popleft()

    async def _deliver(self, message: Message, failures: int) -> None:
        try:
            verdict = await handle(message, self._handler, queue=self._queue.name)
        except BaseException:  # not handled to its end, so still in the queue
            self._queue.waiting.appendleft((message, failures))
            raise
        if verdict is Handled.DONE:
            return
        if verdict is Handled.AGAIN and failures < DELIVERY_LIMIT:
            await pause(self._pauses, failures, self._closing)
            async with self._queue.arrived:
                self._queue.waiting.appendleft((message, failures + 1))
                self._queue.arrived.notify()
        elif self._queue.dead_letter:
            self._queue.dead.append(message)
