"""Exchanges and queues, the same everywhere, all durable: made by the bootstrap (`plan` is what it
makes), and by a program itself only where its user may (an installation with one user for all).

`bulkhead` is the topic exchange. What no queue asks for goes to its alternate exchange and there
into a bounded quorum queue (the oldest fall out), so that `mandatory` fails only when the topology
itself is broken. Each queue dead-letters, at least once, to a quorum queue `<queue>.dead`; from
there an operator sends letters again through `bulkhead.again`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from kit.messaging import DELIVERY_LIMIT
from kit.messaging.link import Link

EXCHANGE = "bulkhead"
UNROUTED = "bulkhead.unrouted"
UNROUTED_LIMIT = 1000
DEAD_LETTERS = "bulkhead.dead"
AGAIN = "bulkhead.again"
KEEP: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,
}  # 4.x drops after 20 looks


@dataclass(frozen=True)
class Exchange:
    name: str
    type: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Binding:
    exchange: str
    queue: str
    key: str = ""


@dataclass(frozen=True)
class Topology:
    """What there has to be at the broker; each thing is named after what it needs."""

    exchanges: Sequence[Exchange]
    queues: Sequence[Queue]
    bindings: Sequence[Binding]


def plan(topics: Mapping[str, Sequence[str]], *, dead_letter: bool = True) -> Topology:
    """The topology for these queues: name -> topics that it is bound to."""
    queues = [Queue(UNROUTED, KEEP | {"x-max-length": UNROUTED_LIMIT, "x-overflow": "drop-head"})]
    bindings = [Binding(UNROUTED, UNROUTED)]
    for name, wanted in topics.items():
        if dead_letter:
            queues.append(Queue(dead_letter_queue(name), KEEP))
            bindings.append(Binding(DEAD_LETTERS, dead_letter_queue(name), name))
        queues.append(Queue(name, _arguments(name, dead_letter=dead_letter)))
        bindings.append(Binding(AGAIN, name, name))
        bindings += [Binding(EXCHANGE, name, topic) for topic in wanted]
    exchanges = [
        Exchange(UNROUTED, "fanout"),
        Exchange(DEAD_LETTERS, "direct"),
        Exchange(AGAIN, "direct"),
        Exchange(EXCHANGE, "topic", {"alternate-exchange": UNROUTED}),
    ]
    return Topology(exchanges, queues, bindings)


async def declare(channel: AbstractChannel, wanted: Topology) -> None:
    """Make what is missing; raises CONNECTION_EXCEPTIONS where this user may not."""
    for exchange in wanted.exchanges:
        await channel.declare_exchange(
            exchange.name, exchange.type, durable=True, arguments=dict(exchange.arguments)
        )
    for queue in wanted.queues:
        await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
    for binding in wanted.bindings:
        queue_ = await channel.get_queue(binding.queue, ensure=False)
        await queue_.bind(binding.exchange, binding.key)


async def ensure_exchange(link: Link) -> None:
    """Look whether there is an exchange, which needs no right; make it where there is none."""
    try:
        async with link.channel() as channel:
            await channel.get_exchange(EXCHANGE, ensure=True)
    except ChannelNotFoundEntity:
        async with link.channel() as channel:
            await declare(channel, plan({}))


async def ensure_queue(link: Link, name: str, topics: Sequence[str], *, dead_letter: bool) -> None:
    """Likewise for the queue of a consumer, with all that belongs to it."""
    try:
        async with link.channel() as channel:
            await channel.get_queue(name, ensure=True)
    except ChannelNotFoundEntity:
        async with link.channel() as channel:
            await declare(channel, plan({name: topics}, dead_letter=dead_letter))


def dead_letter_queue(name: str) -> str:
    """Where the dead letters of a queue are kept."""
    return f"{name}.dead"


def _arguments(name: str, *, dead_letter: bool) -> dict[str, Any]:
    """Explicit on purpose: RabbitMQ 3.10 repeats for ever where no limit is set."""
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-overflow": "reject-publish",
    }
    if dead_letter:
        arguments |= {
            "x-dead-letter-exchange": DEAD_LETTERS,
            "x-dead-letter-routing-key": name,
            "x-dead-letter-strategy": "at-least-once",
        }
    return arguments
