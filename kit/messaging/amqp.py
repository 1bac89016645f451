"""RabbitMQ (3.10 and later): confirmed publishing with a deadline, consumers that come back.

Connections are plain ones that we open again ourselves: publishing on a "robust" connection that
is down waits until it is back (aio-pika issues 556 and 636). Publishing and consuming use one
connection each, so that a broker that throttles publishers does not hold up acknowledgements.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError

from kit import logs
from kit.messaging import (
    LISTED,
    PUBLISH_DEADLINE_S,
    RETRY_PAUSES_S,
    BrokerDown,
    Handler,
    Message,
    PublishFailed,
    Subscription,
)
from kit.messaging.link import Link, close_quietly, own_cancellation_only, why_down
from kit.messaging.subscription import AmqpSubscription, received
from kit.messaging.topology import (
    Names,
    dead_letter_queue,
    declare,
    ensure_exchange,
    plan,
)

log = logs.get(__name__)
PING_DEADLINE_S = 2.0
LOOK_DEADLINE_S = 10.0


class AmqpBroker:
    """The broker behind one URL; made by `connect`, which does not need it to be up."""

    def __init__(
        self, url: str, names: Names, *, retry_pauses_s: tuple[float, ...] = RETRY_PAUSES_S
    ) -> None:
        self._names = names
        self._publishing = Link(url, f"{names.product} publish")
        self._consuming = Link(url, f"{names.product} consume")
        self._retry_pauses_s = retry_pauses_s
        self._lock = asyncio.Lock()
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._subscriptions: list[AmqpSubscription] = []

    @classmethod
    async def connect(
        cls, url: str, names: Names, *, retry_pauses_s: tuple[float, ...] = RETRY_PAUSES_S
    ) -> Self:
        """A broker that is connected, or (said in the log) will be once the server is up."""
        broker = cls(url, names, retry_pauses_s=retry_pauses_s)
        try:
            await broker.ping()
        except BrokerDown as down:
            log.warning("broker is down, starting without it", reason=str(down))
        return broker

    async def publish(self, message: Message, *, deadline_s: float = PUBLISH_DEADLINE_S) -> None:
        try:
            async with asyncio.timeout(deadline_s), own_cancellation_only():
                exchange = await self._open_exchange()
                await exchange.publish(_outgoing(message), message.topic, mandatory=True)
        except (*CONNECTION_EXCEPTIONS, DeliveryError) as error:  # TimeoutError is an OSError
            await self._forget_channel()
            raise PublishFailed(type(error).__name__) from None

    async def consume(
        self, queue: str, topics: Sequence[str], handler: Handler, *, dead_letter: bool = True
    ) -> Subscription:
        subscription = AmqpSubscription(
            self._consuming,
            self._names,
            queue,
            topics,
            handler,
            dead_letter=dead_letter,
            retry_pauses_s=self._retry_pauses_s,
        )
        self._subscriptions.append(subscription)
        await subscription.start()
        return subscription

    async def dead_letters(self, queue: str) -> list[Message]:
        return await self._look_into(dead_letter_queue(queue))

    async def unrouted(self) -> list[Message]:
        return await self._look_into(self._names.unrouted)

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(PING_DEADLINE_S), own_cancellation_only():
                await self._open_exchange()
        except CONNECTION_EXCEPTIONS as error:
            await self._forget_channel()
            raise BrokerDown(why_down(error)) from None
        detached = [s.queue for s in self._subscriptions if s.is_detached]
        if detached:
            raise BrokerDown(f"not consuming yet: {', '.join(detached)}")

    async def close(self) -> None:
        while self._subscriptions:
            await self._subscriptions.pop().close()
        for link in (self._publishing, self._consuming):
            await link.close()

    async def _look_into(self, name: str) -> list[Message]:
        """Take messages without acknowledging them: with the channel's end they are back."""
        found: list[Message] = []
        try:
            async with asyncio.timeout(LOOK_DEADLINE_S), own_cancellation_only():
                async with self._publishing.channel() as channel:
                    queue = await channel.get_queue(name, ensure=True)
                    while len(found) < LISTED and (incoming := await queue.get(fail=False)):
                        found.append(received(incoming))
        except CONNECTION_EXCEPTIONS as error:
            raise BrokerDown(why_down(error)) from None
        return found

    async def _open_exchange(self) -> AbstractExchange:
        async with self._lock:
            if self._exchange is None or self._channel is None or self._channel.is_closed:
                await ensure_exchange(self._publishing, self._names)
                self._channel = await self._publishing.open_channel(on_return_raises=True)
                self._exchange = await self._channel.get_exchange(
                    self._names.exchange, ensure=False
                )
            return self._exchange

    async def _forget_channel(self) -> None:
        """After any failure start afresh: what happened to the old channel is not known."""
        channel, self._channel, self._exchange = self._channel, None, None
        if channel is not None:
            await close_quietly(channel)


async def prepare(url: str, names: Names, topics: Mapping[str, Sequence[str]]) -> None:
    """Make exchanges and queues (name -> topics) as a user who may. Raises BrokerDown."""
    link = Link(url, f"{names.product} prepare")
    try:
        async with link.channel() as channel:
            await declare(channel, plan(names, topics))
    except CONNECTION_EXCEPTIONS as error:
        raise BrokerDown(why_down(error)) from None
    finally:
        await link.close()


def _outgoing(message: Message) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        message_id=message.id,
        type=message.topic,
        headers=dict(message.headers),
        content_type=message.headers.get("content-type"),
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
