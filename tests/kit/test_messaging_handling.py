"""What becomes of a message: after a deadline, a problem, a call to wait, a consumer's end."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from contracts.broker import BULKHEAD
from kit.messaging import Broker, Message, handling, memory, subscription
from kit.messaging.amqp import AmqpBroker
from kit.messaging.handling import Handled, handle, pause
from kit.messaging.memory import MemoryBroker
from kit.problems import Problem
from ops.local.rabbitmq import RabbitMq
from tests.eventually import eventually

MESSAGE = Message("id", "test.thing.v1", b"")


def refusing(status: int) -> Problem:
    problem = Problem()
    vars(problem)["status"] = status
    return problem


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Handled.DEAD),
        (404, Handled.DEAD),
        (408, Handled.AGAIN),
        (422, Handled.DEAD),
        (428, Handled.DEAD),
        (429, Handled.AGAIN),
        (503, Handled.AGAIN),
        (507, Handled.DEAD),
    ],
)
async def test_a_problem_is_final_unless_it_asks_to_wait(status: int, verdict: Handled) -> None:
    async def handler(_: Message) -> None:
        raise refusing(status)

    labels = {"queue": "test", "outcome": verdict.name.lower()}
    before = REGISTRY.get_sample_value("bulkhead_messages_total", labels) or 0
    assert await handle(MESSAGE, handler, queue="test") is verdict
    assert REGISTRY.get_sample_value("bulkhead_messages_total", labels) == before + 1


async def test_a_handler_that_hangs_is_cut_at_the_deadline_and_the_message_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handling, "HANDLER_DEADLINE_S", 0.01)
    cut = asyncio.Event()

    async def hang(_: Message) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    async with asyncio.timeout(5):
        assert await handle(MESSAGE, hang, queue="test") is Handled.AGAIN
    assert cut.is_set()


async def test_who_stops_the_consumer_is_not_taken_for_a_failure() -> None:
    begun = asyncio.Event()

    async def hang(_: Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    handling_ = asyncio.create_task(handle(MESSAGE, hang, queue="test"))
    await begun.wait()
    handling_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling_


async def test_the_pause_grows_with_the_failures_stays_at_the_last_and_ends_with_the_consumer() -> (
    None
):
    open_, closing = asyncio.Event(), asyncio.Event()
    closing.set()
    async with asyncio.timeout(5):
        await pause((0.0, 3600.0), 0, open_)
        await pause((3600.0, 0.0), 1, open_)
        await pause((3600.0, 0.0), 9, open_)
        await pause((3600.0,), 0, closing)
    for failures in (1, 9):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await pause((0.0, 3600.0), failures, open_)


@pytest.fixture(params=["memory", "amqp"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    made: Broker = MemoryBroker()
    if request.param == "amqp":
        node: RabbitMq = request.getfixturevalue("rabbitmq")
        made = await AmqpBroker.connect(node.url, BULKHEAD, retry_pauses_s=(0.0,))
    yield made
    await made.close()


async def test_a_straggler_is_cut_when_its_consumer_closes_and_another_gets_the_message(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory, subscription):
        monkeypatch.setattr(module, "CLOSE_DEADLINE_S", 0.05)
    queue, got = f"test.{secrets.token_hex(4)}", list[str]()
    begun, cut = asyncio.Event(), asyncio.Event()

    async def hang(_: Message) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    async def take(message: Message) -> None:
        got.append(message.id)

    straggling = await broker.consume(queue, [queue], hang)
    await broker.publish(Message("1", queue, b""))
    await begun.wait()
    async with asyncio.timeout(5):
        await straggling.close()
    assert cut.is_set()
    await broker.consume(queue, [queue], take)
    await eventually(lambda: got == ["1"])


async def test_a_message_that_asks_to_wait_for_ever_ends_among_the_dead_letters(
    broker: Broker,
) -> None:
    queue, calls = f"test.{secrets.token_hex(4)}", list[str]()

    async def wait(message: Message) -> None:
        calls.append(message.id)
        raise refusing(429)

    await broker.consume(queue, [queue], wait)
    await broker.publish(Message("1", queue, b""))

    async def is_dead() -> bool:
        return [one.id for one in await broker.dead_letters(queue)] == ["1"]

    await eventually(is_dead)
    assert calls == ["1"] * 6
