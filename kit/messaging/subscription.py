"""A consumer of one AMQP queue that attaches again, by itself, whenever it has lost the broker."""

import asyncio
import contextlib
from collections.abc import Sequence

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from kit import logs
from kit.messaging import CLOSE_DEADLINE_S, DELIVERY_LIMIT, Handler, Message
from kit.messaging.handling import Handled, handle, pause
from kit.messaging.link import CONNECT_DEADLINE_S, Link, own_cancellation_only, why_down
from kit.messaging.topology import Names, ensure_queue
from kit.supervisor import Loop, spawn

log = logs.get(__name__)
PREFETCH = 8
ATTACH_PAUSE_S = 0.5


class AmqpSubscription:
    """Hands messages over one at a time, in the order in which the broker delivers them."""

    def __init__(
        self,
        link: Link,
        names: Names,
        queue: str,
        topics: Sequence[str],
        handler: Handler,
        *,
        dead_letter: bool,
        retry_pauses_s: tuple[float, ...],
    ) -> None:
        self.queue, self._topics, self._handler = queue, topics, handler
        self._link, self._names = link, names
        self._dead_letter, self._pauses = dead_letter, retry_pauses_s
        self._attached, self._closing = asyncio.Event(), asyncio.Event()
        self._loop = Loop(f"consumer {queue}", self._run)

    @property
    def is_detached(self) -> bool:
        """True while we want to consume, but the broker does not know of us."""
        return not self._attached.is_set() and not self._closing.is_set()

    async def start(self) -> None:
        """Return when attached, or after a while when the broker is down."""
        self._loop.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await self._attached.wait()

    async def close(self) -> None:
        self._closing.set()
        await self._loop.stop(CLOSE_DEADLINE_S)

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                async with own_cancellation_only():
                    await self._consume_until_broken()
            except Exception as error:  # whatever broke it, the cure is to attach again
                why = {"error": type(error).__name__, "reason": why_down(error)}
                log.warning("consumer is detached", queue=self.queue, **why)
            finally:
                self._attached.clear()
            await pause((ATTACH_PAUSE_S,), 0, self._closing)

    async def _consume_until_broken(self) -> None:
        await ensure_queue(
            self._link, self._names, self.queue, self._topics, dead_letter=self._dead_letter
        )
        async with self._link.channel() as channel:
            inbound = await self._attach(channel)
            self._attached.set()
            await self._work(channel, inbound)

    async def _attach(
        self, channel: AbstractChannel
    ) -> asyncio.Queue[AbstractIncomingMessage | None]:
        """Consume into a local queue; None in it tells that no more will come."""
        inbound: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(self.queue, ensure=False)
            raw = await channel.get_underlay_channel()
            raw.on_consumer_cancel_callbacks.add(lambda _: inbound.put_nowait(None))
            channel.close_callbacks.add(lambda *_: inbound.put_nowait(None))
            await queue.consume(inbound.put)
        return inbound

    async def _work(
        self, channel: AbstractChannel, inbound: asyncio.Queue[AbstractIncomingMessage | None]
    ) -> None:
        closing = spawn(self._wait_for_closing(inbound), f"closing of {self.queue}")
        try:
            while (incoming := await inbound.get()) is not None:
                if self._closing.is_set() or channel.is_closed:
                    return
                await self._settle(incoming)
        finally:
            closing.cancel()

    async def _wait_for_closing(
        self, inbound: asyncio.Queue[AbstractIncomingMessage | None]
    ) -> None:
        await self._closing.wait()
        inbound.put_nowait(None)

    async def _settle(self, incoming: AbstractIncomingMessage) -> None:
        verdict = await handle(received(incoming), self._handler, queue=self.queue)
        if verdict is Handled.DONE:
            await incoming.ack()
        elif verdict is Handled.DEAD:
            await incoming.reject(requeue=False)
        else:
            failures = _deliveries_before(incoming)
            if failures < DELIVERY_LIMIT:
                await pause(self._pauses, failures, self._closing)
            await incoming.nack(requeue=True)


def received(incoming: AbstractIncomingMessage) -> Message:
    """Our message in what the broker delivered."""
    headers = {key: value for key, value in incoming.headers.items() if isinstance(value, str)}
    topic = incoming.type or incoming.routing_key or ""  # dead letters have another key
    return Message(incoming.message_id or "", topic, incoming.body, headers)


def _deliveries_before(incoming: AbstractIncomingMessage) -> int:
    count = incoming.headers.get("x-delivery-count", 0)
    return count if isinstance(count, int) else 0
