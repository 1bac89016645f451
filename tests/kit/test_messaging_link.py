"""One connection to the broker: opened once for all who need it, given up when told, and its rules
come from the address. Servers that say nothing show what the client does by itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from contracts.broker import BULKHEAD
from kit.messaging import Message, subscription
from kit.messaging.amqp import AmqpBroker
from kit.messaging.link import HEARTBEAT_S, Link
from kit.messaging.subscription import AmqpSubscription
from ops.local.rabbitmq import RabbitMq

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """The port of a server on loopback that is no broker."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("query", "heartbeat", "others"),
    [
        ("", str(HEARTBEAT_S), {}),
        ("?heartbeat=1", "1", {}),
        ("?connection_timeout=7", str(HEARTBEAT_S), {"connection_timeout": ["7"]}),
    ],
)
def test_there_is_a_heartbeat_and_what_the_address_says_goes_first(
    query: str, heartbeat: str, others: dict[str, list[str]]
) -> None:
    made = urlsplit(vars(Link(f"amqp://a:b%2F@127.0.0.1:1/{query}", "test"))["_url"])
    assert parse_qs(made.query) == {"heartbeat": [heartbeat]} | others
    assert made.netloc == "a:b%2F@127.0.0.1:1"


async def test_who_gives_up_publishing_is_cancelled_and_not_told_of_a_failure() -> None:
    """Only a cancellation that nobody meant for this task is a broken connection."""
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        asked.set()
        await reader.read()
        writer.close()

    async with serving(say_nothing) as port:
        broker = AmqpBroker(f"amqp://a:b@127.0.0.1:{port}/", BULKHEAD)
        publishing = asyncio.create_task(broker.publish(Message("1", "test", b"")))
        await asked.wait()
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        await broker.close()


async def test_channels_that_are_opened_at_once_share_one_connection(rabbitmq: RabbitMq) -> None:
    link = Link(rabbitmq.url, "test")
    channels = await asyncio.gather(*(link.open_channel() for _ in range(5)))
    underlay = [await channel.get_underlay_channel() for channel in channels]
    assert len({id(one.connection) for one in underlay}) == 1
    await link.close()
    assert all(channel.is_closed for channel in channels)


async def test_a_consumer_without_its_broker_does_not_ask_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscription, "ATTACH_PAUSE_S", 3600.0)
    calls, asked = 0, asyncio.Event()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        asked.set()
        writer.close()

    async def ignore(_: Message) -> None:
        pass

    async with serving(refuse) as port:
        link = Link(f"amqp://a:b@127.0.0.1:{port}/", "test")
        consumer = AmqpSubscription(
            link, BULKHEAD, "test", [], ignore, dead_letter=True, retry_pauses_s=(0.0,)
        )
        starting = asyncio.create_task(consumer.start())
        await asked.wait()
        for _ in range(200):  # enough turns of the loop for another try
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await reader.read()
            writer.close()
        assert calls == 1 + 200
        assert consumer.is_detached
        starting.cancel()
        await consumer.close()
        assert not consumer.is_detached
