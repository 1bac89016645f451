"""Exchanges and queues: declared by whoever uses them, the same everywhere, all durable.

`bulkhead` is the topic exchange. What no queue asks for goes to its alternate exchange and there
into a bounded quorum queue (the oldest fall out), so that `mandatory` fails only when the topology
itself is broken. Each queue dead-letters, at least once, to a quorum queue `<queue>.dead`.
"""

from collections.abc import Sequence
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue

from kit.messaging import DELIVERY_LIMIT

EXCHANGE = "bulkhead"
UNROUTED = "bulkhead.unrouted"
UNROUTED_LIMIT = 1000
DEAD_LETTERS = "bulkhead.dead"
KEEP: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,
}  # 4.x drops after 20 looks


async def declare_exchanges(channel: AbstractChannel) -> AbstractExchange:
    """The topic exchange, after everything that a message may need on its way."""
    unrouted = await channel.declare_exchange(UNROUTED, ExchangeType.FANOUT, durable=True)
    await channel.declare_exchange(DEAD_LETTERS, ExchangeType.DIRECT, durable=True)
    remainder = await channel.declare_queue(
        UNROUTED,
        durable=True,
        arguments=KEEP | {"x-max-length": UNROUTED_LIMIT, "x-overflow": "drop-head"},
    )
    await remainder.bind(unrouted)
    return await channel.declare_exchange(
        EXCHANGE, ExchangeType.TOPIC, durable=True, arguments={"alternate-exchange": UNROUTED}
    )


async def declare_queue(
    channel: AbstractChannel, name: str, topics: Sequence[str], *, dead_letter: bool
) -> AbstractQueue:
    """The queue of a consumer service, with its dead letters ready before its bindings."""
    exchange = await declare_exchanges(channel)
    if dead_letter:
        await _declare_dead_letters(channel, name)
    queue = await channel.declare_queue(
        name, durable=True, arguments=_arguments(name, dead_letter=dead_letter)
    )
    for topic in topics:
        await queue.bind(exchange, topic)
    return queue


def dead_letter_queue(name: str) -> str:
    """Where the dead letters of a queue are kept."""
    return f"{name}.dead"


async def _declare_dead_letters(channel: AbstractChannel, name: str) -> None:
    dead = await channel.declare_queue(dead_letter_queue(name), durable=True, arguments=KEEP)
    await dead.bind(DEAD_LETTERS, name)


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
