"""What only the real broker can show: frozen peers, broken topologies, queues that are deleted."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from contracts.broker import BULKHEAD
from kit.messaging import LISTED, BrokerDown, Message, PublishFailed, subscription
from kit.messaging.amqp import AmqpBroker
from kit.messaging.subscription import PREFETCH
from kit.messaging.topology import declare, plan
from ops.local.rabbitmq import RabbitMq
from tests.eventually import eventually
from tests.kit.frozen import is_frozen


@pytest.fixture
async def broker(rabbitmq: RabbitMq) -> AsyncIterator[AmqpBroker]:
    made = await AmqpBroker.connect(rabbitmq.url, BULKHEAD, retry_pauses_s=(0.0,))
    yield made
    await made.close()


@pytest.fixture
async def raw(rabbitmq: RabbitMq) -> AsyncIterator[AbstractChannel]:
    """A channel past our code."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        yield await connection.channel()


@pytest.fixture
def queue() -> str:
    return f"test.{secrets.token_hex(4)}"


async def ignore(_: Message) -> None:
    pass


async def test_publishing_to_a_frozen_broker_fails_at_the_deadline_and_works_afterwards(
    rabbitmq: RabbitMq, broker: AmqpBroker
) -> None:
    await broker.publish(Message("1", "test.frozen", b""))
    assert rabbitmq.pid is not None
    os.kill(rabbitmq.pid, signal.SIGSTOP)
    try:
        await eventually(lambda: is_frozen(rabbitmq.pid))
        begun = time.monotonic()
        async with asyncio.timeout(8):
            with pytest.raises(PublishFailed):
                await broker.publish(Message("2", "test.frozen", b""), deadline_s=1.0)
        with pytest.raises(BrokerDown):
            await broker.ping()
        assert time.monotonic() - begun < 8
    finally:
        os.kill(rabbitmq.pid, signal.SIGCONT)
    await broker.publish(Message("3", "test.frozen", b""))


async def test_a_service_starts_without_the_broker_and_says_that_it_is_not_ready() -> None:
    broker = await AmqpBroker.connect("amqp://a:b@127.0.0.1:1/", BULKHEAD)
    with pytest.raises(BrokerDown):
        await broker.ping()
    with pytest.raises(PublishFailed):
        await broker.publish(Message("1", "test", b""))
    for look in (broker.unrouted(), broker.dead_letters("test")):
        with pytest.raises(BrokerDown, match="nothing listens there"):
            await look
    await broker.close()


async def test_letters_of_a_queue_that_is_not_there_are_not_taken_for_none(
    broker: AmqpBroker,
) -> None:
    with pytest.raises(BrokerDown, match="no such exchange or queue"):
        await broker.dead_letters("test.nobody")


async def test_as_many_letters_as_are_listed_are_looked_at_and_all_stay(
    broker: AmqpBroker, raw: AbstractChannel
) -> None:
    await (await raw.get_queue(BULKHEAD.unrouted)).purge()
    for number in range(LISTED + 1):
        await broker.publish(Message(str(number), "test.nobody", b""))
    assert [one.id for one in await broker.unrouted()] == [str(n) for n in range(LISTED)]
    assert len(await broker.unrouted()) == LISTED
    assert (await (await raw.get_queue(BULKHEAD.unrouted)).purge()).message_count == LISTED + 1


async def test_a_wrong_password_is_not_told_to_anybody(
    rabbitmq: RabbitMq, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"amqp://bulkhead:wr0ng-password@{rabbitmq.url.rpartition('@')[2]}"
    broker = await AmqpBroker.connect(url, BULKHEAD)
    with pytest.raises(PublishFailed) as failed:
        await broker.publish(Message("1", "test", b""))
    await broker.close()
    assert "wr0ng" not in str(failed.value) + caplog.text


async def test_a_message_that_the_topology_would_lose_is_not_confirmed(
    broker: AmqpBroker, raw: AbstractChannel
) -> None:
    """Without the queue of unrouted messages `mandatory` returns what nobody asked for."""
    await broker.publish(Message("1", "test.nobody", b""))
    await raw.queue_delete(BULKHEAD.unrouted)
    with pytest.raises(PublishFailed, match="PublishError"):
        await broker.publish(Message("2", "test.nobody", b""))
    await declare(raw, plan(BULKHEAD, {}))
    await broker.publish(Message("3", "test.nobody", b""))
    assert [message.id for message in await broker.unrouted()] == ["3"]


async def test_an_exchange_that_is_missing_is_made(
    rabbitmq: RabbitMq, raw: AbstractChannel
) -> None:
    await raw.exchange_delete(BULKHEAD.exchange)
    other = AmqpBroker(rabbitmq.url, BULKHEAD)
    await other.publish(Message("1", "test.nobody", b""))
    await other.close()


async def test_a_consumer_whose_queue_was_deleted_declares_it_again(
    broker: AmqpBroker, raw: AbstractChannel, queue: str
) -> None:
    got: list[str] = []

    async def take(message: Message) -> None:
        got.append(message.id)

    await broker.consume(queue, [queue], take)
    await raw.queue_delete(queue)

    async def is_back() -> bool:
        await broker.publish(Message("1", queue, b""))
        return got != []

    await eventually(is_back)


async def test_queues_are_declared_with_every_rule(
    broker: AmqpBroker, raw: AbstractChannel, queue: str
) -> None:
    await broker.consume(queue, [queue], ignore)
    rules: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 5,
        "x-dead-letter-exchange": BULKHEAD.dead_letters,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    declared = await raw.declare_queue(queue, durable=True, arguments=rules)
    assert declared.declaration_result.consumer_count == 1
    with pytest.raises(ChannelPreconditionFailed):
        await raw.declare_queue(
            queue, durable=True, arguments=rules | {"x-dead-letter-strategy": "at-most-once"}
        )


async def test_letters_are_kept_however_often_they_are_looked_at_and_unrouted_ones_have_a_bound(
    broker: AmqpBroker, raw: AbstractChannel, queue: str
) -> None:
    await broker.consume(queue, [queue], ignore)
    keep: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
    bound = {"x-max-length": 1000, "x-overflow": "drop-head"}
    await raw.declare_queue(f"{queue}.dead", durable=True, arguments=keep)
    await raw.declare_queue(BULKHEAD.unrouted, durable=True, arguments=keep | bound)


async def test_a_consumer_takes_no_more_than_a_few_messages_ahead(
    broker: AmqpBroker, raw: AbstractChannel, queue: str
) -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def hang(_: Message) -> None:
        begun.set()
        await let_go.wait()

    away = await broker.consume(queue, [queue], ignore)
    await away.close()
    for number in range(PREFETCH + 3):
        await broker.publish(Message(str(number), queue, b""))
    await broker.consume(queue, [queue], hang)
    await begun.wait()

    async def the_others_wait() -> bool:
        declared = await raw.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count == 3

    await eventually(the_others_wait)
    let_go.set()


async def test_the_pause_before_a_repetition_grows_with_the_deliveries(
    rabbitmq: RabbitMq, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "CLOSE_DEADLINE_S", 0.05)
    broker = await AmqpBroker.connect(rabbitmq.url, BULKHEAD, retry_pauses_s=(0.0, 3600.0))
    calls, others = list[str](), list[str]()

    async def fail(message: Message) -> None:
        calls.append(message.id)
        raise RuntimeError

    async def take(message: Message) -> None:
        others.append(message.id)

    await broker.consume(queue, [queue], fail)
    await broker.consume(f"{queue}.other", [f"{queue}.other"], take)
    await broker.publish(Message("1", queue, b""))
    await eventually(lambda: calls == ["1", "1"])
    for number in range(50):  # time enough for a third try
        await broker.publish(Message(str(number), f"{queue}.other", b""))
    await eventually(lambda: len(others) == 50)
    assert calls == ["1", "1"]
    await broker.close()


async def test_messages_are_durable_and_the_exchange_is_too(
    broker: AmqpBroker, raw: AbstractChannel, queue: str
) -> None:
    subscription = await broker.consume(queue, [queue], ignore)
    await subscription.close()
    await broker.publish(Message("1", queue, b"body"))
    stored = await (await raw.get_queue(queue)).get()
    assert stored is not None
    assert stored.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    await raw.declare_exchange(
        BULKHEAD.exchange,
        "topic",
        durable=True,
        arguments={"alternate-exchange": BULKHEAD.unrouted},
    )


async def test_publishers_at_the_same_time_do_not_disturb_each_other(
    broker: AmqpBroker, queue: str
) -> None:
    got: set[str] = set()

    async def take(message: Message) -> None:
        got.add(message.id)

    await broker.consume(queue, [queue], take)
    await asyncio.gather(*(broker.publish(Message(str(n), queue, b"")) for n in range(100)))
    await eventually(lambda: len(got) == 100)
