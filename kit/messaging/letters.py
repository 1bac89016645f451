"""Dead letters, and what no queue asked for: looked at, sent again, or dropped by an operator.

A letter is taken without acknowledgement, and given back by closing the channel; it is gone only
when it was dropped, or when the broker has confirmed it in its queue again. So a crash in between
can repeat a letter, never lose one: consumers take a repeated notice once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity, DeliveryError

from kit.messaging import BrokerDown
from kit.messaging.link import Link, own_cancellation_only, why_down
from kit.messaging.subscription import received
from kit.messaging.topology import Names, dead_letter_queue

MOST = 10_000
"""So many letters of a queue are looked at in one go."""
_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Letter:
    """`queue` is whose consumer could not handle it, None for what no queue asked for."""

    queue: str | None
    id: str
    topic: str
    died_at: datetime | None
    reason: str | None
    body: bytes


class NoSuchLetter(Exception):
    """There is no letter with that id in that queue (any more)."""


class Letters:
    """The letters of some queues at one broker; the user needs to read them and to send again."""

    def __init__(self, url: str, names: Names, queues: Sequence[str]) -> None:
        self._link, self._names = Link(url, f"{names.product} letters"), names
        self._queues = tuple(queues)

    async def counts(self) -> dict[str | None, int]:
        """How many letters each queue has; None stands for what no queue asked for."""
        found: dict[str | None, int] = {}
        for queue in (*self._queues, None):
            async with self._channel() as channel:
                try:
                    declared = await channel.declare_queue(self._place(queue), passive=True)
                except ChannelNotFoundEntity:
                    continue
                found[queue] = declared.declaration_result.message_count or 0
        return found

    async def list(self, queue: str | None, most: int = 100) -> list[Letter]:
        """The oldest letters of a queue; they stay there."""
        async with self._channel() as channel:
            return [_letter(queue, one) async for one in _taken(channel, self._place(queue), most)]

    async def replay(self, queue: str, wanted: Callable[[Letter], bool]) -> int:
        """Send the letters that are wanted into their queue again, each once; how many."""
        return await self._settle(queue, wanted, again=True)

    async def drop(self, queue: str | None, wanted: Callable[[Letter], bool]) -> int:
        """Forget the letters that are wanted; how many."""
        return await self._settle(queue, wanted, again=False)

    async def close(self) -> None:
        await self._link.close()

    async def _settle(
        self, queue: str | None, wanted: Callable[[Letter], bool], *, again: bool
    ) -> int:
        settled = 0
        async with self._channel() as channel, self._channel() as publishing:
            exchange = await publishing.get_exchange(self._names.again, ensure=False)
            # all are taken before any is sent: what fails at once would come round again for ever
            for incoming in [one async for one in _taken(channel, self._place(queue), MOST)]:
                if not wanted(_letter(queue, incoming)):
                    continue
                if again and queue is not None:
                    await exchange.publish(_same(incoming), queue, mandatory=True)
                await incoming.ack()
                settled += 1
        return settled

    def _place(self, queue: str | None) -> str:
        return self._names.unrouted if queue is None else dead_letter_queue(queue)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        try:
            async with asyncio.timeout(_DEADLINE_S), own_cancellation_only():
                channel = await self._link.open_channel(on_return_raises=True)
                try:
                    yield channel
                finally:
                    await channel.close()
        except ChannelNotFoundEntity:
            raise
        except (*CONNECTION_EXCEPTIONS, DeliveryError) as error:
            raise BrokerDown(why_down(error)) from None


async def _taken(
    channel: AbstractChannel, place: str, most: int
) -> AsyncIterator[AbstractIncomingMessage]:
    """Up to so many letters, unacknowledged: with the channel's end they are back."""
    source = await channel.get_queue(place, ensure=False)
    for _ in range(most):
        incoming = await source.get(fail=False)
        if incoming is None:
            return
        yield incoming


def _letter(queue: str | None, incoming: AbstractIncomingMessage) -> Letter:
    message = received(incoming)
    died_at, reason = _death(incoming.headers.get("x-death"))
    return Letter(queue, message.id, message.topic, died_at, reason, message.body)


def _death(deaths: Any) -> tuple[datetime | None, str | None]:
    """When and why it died last: rejected (it can never succeed), or delivery_limit."""
    if not isinstance(deaths, list) or not deaths or not isinstance(deaths[0], dict):
        return None, None
    at, reason = deaths[0].get("time"), deaths[0].get("reason")
    return (at if isinstance(at, datetime) else None), (str(reason) if reason else None)


def _same(incoming: AbstractIncomingMessage) -> aio_pika.Message:
    """The message as it was first published, without the marks of its death."""
    message = received(incoming)
    return aio_pika.Message(
        message.body,
        message_id=message.id,
        type=message.topic,
        headers={k: v for k, v in message.headers.items() if not k.startswith("x-")},
        content_type=message.headers.get("content-type"),
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
