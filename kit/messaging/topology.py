"""Exchanges and queues, the same everywhere, all durable: made by the bootstrap (`plan` is what it
makes), and by a program itself only where its user may (an installation with one user for all).

The product's topic exchange has its name. What no queue asks for goes to its alternate exchange and
there into a bounded quorum queue (the oldest fall out), so that `mandatory` fails only when the
topology itself is broken. Each queue dead-letters, at least once, to a quorum queue `<queue>.dead`;
from there an operator sends letters again through `<product>.again`.

Names and arguments can be changed nowhere: an existing broker refuses another argument, and what
waits in a queue stays behind under the old name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from kit.messaging import DELIVERY_LIMIT
from kit.messaging.link import Link

UNROUTED_LIMIT = 1000
KEEP: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,
}  # 4.x drops after 20 looks


@dataclass(frozen=True)
class Names:
    """What a product's exchanges and queues are called."""

    product: str

    @property
    def exchange(self) -> str:
        return self.product

    @property
    def unrouted(self) -> str:
        return f"{self.product}.unrouted"

    @property
    def dead_letters(self) -> str:
        return f"{self.product}.dead"

    @property
    def again(self) -> str:
        return f"{self.product}.again"

    def queue_of(self, service: str) -> str:
        """The queue that all replicas of a service share."""
        return f"{self.product}.{service}"


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


def plan(
    names: Names, topics: Mapping[str, Sequence[str]], *, dead_letter: bool = True
) -> Topology:
    """The topology for these queues: name -> topics that it is bound to."""
    bounded = KEEP | {"x-max-length": UNROUTED_LIMIT, "x-overflow": "drop-head"}
    queues = [Queue(names.unrouted, bounded)]
    bindings = [Binding(names.unrouted, names.unrouted)]
    for name, wanted in topics.items():
        if dead_letter:
            queues.append(Queue(dead_letter_queue(name), KEEP))
            bindings.append(Binding(names.dead_letters, dead_letter_queue(name), name))
        queues.append(Queue(name, _arguments(names, name, dead_letter=dead_letter)))
        bindings.append(Binding(names.again, name, name))
        bindings += [Binding(names.exchange, name, topic) for topic in wanted]
    exchanges = [
        Exchange(names.unrouted, "fanout"),
        Exchange(names.dead_letters, "direct"),
        Exchange(names.again, "direct"),
        Exchange(names.exchange, "topic", {"alternate-exchange": names.unrouted}),
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


async def ensure_exchange(link: Link, names: Names) -> None:
    """Look whether there is an exchange, which needs no right; make it where there is none."""
    try:
        async with link.channel() as channel:
            await channel.get_exchange(names.exchange, ensure=True)
    except ChannelNotFoundEntity:
        async with link.channel() as channel:
            await declare(channel, plan(names, {}))


async def ensure_queue(
    link: Link, names: Names, name: str, topics: Sequence[str], *, dead_letter: bool
) -> None:
    """Likewise for the queue of a consumer, with all that belongs to it."""
    try:
        async with link.channel() as channel:
            await channel.get_queue(name, ensure=True)
    except ChannelNotFoundEntity:
        async with link.channel() as channel:
            await declare(channel, plan(names, {name: topics}, dead_letter=dead_letter))


def dead_letter_queue(name: str) -> str:
    """Where the dead letters of a queue are kept."""
    return f"{name}.dead"


def _arguments(names: Names, name: str, *, dead_letter: bool) -> dict[str, Any]:
    """Explicit on purpose: RabbitMQ 3.10 repeats for ever where no limit is set."""
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-overflow": "reject-publish",
    }
    if dead_letter:
        arguments |= {
            "x-dead-letter-exchange": names.dead_letters,
            "x-dead-letter-routing-key": name,
            "x-dead-letter-strategy": "at-least-once",
        }
    return arguments
