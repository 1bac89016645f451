"""One suite for both brokers: what the real one promises, the one in memory keeps too."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from contracts.broker import BULKHEAD
from kit import telemetry
from kit.messaging import (
    DELIVERY_LIMIT,
    Broker,
    BrokerDown,
    Handler,
    Message,
    PublishFailed,
    Subscription,
)
from kit.messaging.amqp import AmqpBroker
from kit.messaging.memory import MemoryBroker
from kit.problems import DependencyDown, NotFound
from ops.local.rabbitmq import RabbitMq
from tests.broker_crash import crash
from tests.eventually import eventually


class Outage(Protocol):
    queues: list[str]

    async def begin(self) -> None: ...
    async def end(self) -> None: ...


class Rig:
    """A broker, names that no other test uses, and an outage on demand."""

    def __init__(self, broker: Broker, outage: Outage) -> None:
        self.broker, self.outage = broker, outage
        mark = secrets.token_hex(4)
        self.queue, self.topic = f"test.{mark}", f"test.thing.happened.{mark}"
        self.got: list[Message] = []

    async def take(self, message: Message) -> None:
        self.got.append(message)

    async def consume(self, handler: Handler, queue: str = "") -> Subscription:
        self.outage.queues.append(queue or self.queue)
        return await self.broker.consume(queue or self.queue, [self.topic], handler)

    async def publish(self, number: int, topic: str | None = None) -> Message:
        message = Message(f"id-{number}", topic or self.topic, str(number).encode())
        await self.broker.publish(message)
        return message

    def bodies(self) -> list[int]:
        return [int(message.body) for message in self.got]


class MemoryOutage:
    def __init__(self, broker: MemoryBroker) -> None:
        self._broker, self.queues = broker, list[str]()

    async def begin(self) -> None:
        self._broker.down = True

    async def end(self) -> None:
        self._broker.down = False


class RealOutage:
    """kill -9 of the node, and a new start on its data."""

    def __init__(self, node: RabbitMq) -> None:
        self._node, self.queues = node, list[str]()

    async def begin(self) -> None:
        await crash(self._node, self.queues)

    async def end(self) -> None:
        if self._node.pid is None:
            await asyncio.to_thread(self._node.start)


@pytest.fixture(params=["memory", "amqp"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "memory":
        memory = MemoryBroker()
        yield Rig(memory, MemoryOutage(memory))
        await memory.close()
        return
    node: RabbitMq = request.getfixturevalue("rabbitmq")
    broker = await AmqpBroker.connect(node.url, BULKHEAD, retry_pauses_s=(0.0,))
    yield Rig(broker, outage := RealOutage(node))
    await outage.end()
    await broker.close()


def raising(error: Exception, calls: list[str]) -> Handler:
    async def handler(message: Message) -> None:
        calls.append(message.id)
        raise error

    return handler


async def test_messages_arrive_whole_and_in_the_order_of_publishing(rig: Rig) -> None:
    await rig.consume(rig.take)
    for number in range(50):
        await rig.publish(number)
    whole = Message("id-x", rig.topic, b"\x00\xff", {"content-type": "text/x", "a": "b"})
    await rig.broker.publish(whole)
    await eventually(lambda: len(rig.got) == 51)
    assert rig.got[-1] == whole
    rig.got.pop()
    assert rig.bodies() == list(range(50))


async def test_every_service_gets_the_topics_it_asked_for_and_no_other(rig: Rig) -> None:
    other: list[Message] = []

    async def take_other(message: Message) -> None:
        other.append(message)

    second = f"{rig.topic}.second"
    await rig.consume(rig.take)
    await rig.broker.consume(f"{rig.queue}.other", [rig.topic, second], take_other)
    await rig.publish(1)
    await rig.publish(2, second)
    await eventually(lambda: len(other) == 2 and len(rig.got) == 1)
    assert rig.bodies() == [1]


async def test_two_consumers_share_a_queue_and_no_message_is_handled_twice(rig: Rig) -> None:
    both = asyncio.Barrier(2)
    counts = {"first": 0, "second": 0}

    def consumer(name: str) -> Handler:
        async def handler(message: Message) -> None:
            counts[name] += 1
            if counts[name] == 1:
                await both.wait()
            await rig.take(message)

        return handler

    for name in counts:
        await rig.consume(consumer(name))
    for number in range(40):
        await rig.publish(number)
    await eventually(lambda: len(rig.got) == 40)
    assert sorted(rig.bodies()) == list(range(40))
    assert min(counts.values()) >= 1


async def test_a_failing_message_is_repeated_up_to_the_limit_and_then_a_dead_letter(
    rig: Rig,
) -> None:
    calls: list[str] = []
    await rig.consume(raising(RuntimeError("again"), calls))
    message = await rig.publish(1)

    async def is_dead() -> bool:
        return [m.id for m in await rig.broker.dead_letters(rig.queue)] == [message.id]

    await eventually(is_dead)
    assert len(calls) == DELIVERY_LIMIT + 1


async def test_a_problem_sends_the_message_to_the_dead_letters_at_once(rig: Rig) -> None:
    calls: list[str] = []
    await rig.consume(raising(NotFound(), calls))
    message = await rig.publish(7)

    async def is_dead() -> bool:
        return await rig.broker.dead_letters(rig.queue) != []

    await eventually(is_dead)
    (dead,) = await rig.broker.dead_letters(rig.queue)
    assert (dead.id, dead.topic, dead.body) == (message.id, message.topic, message.body)
    assert calls == [message.id]


async def test_a_problem_that_says_try_again_is_tried_again(rig: Rig) -> None:
    calls: list[str] = []

    async def handler(message: Message) -> None:
        calls.append(message.id)
        if len(calls) < 3:
            raise DependencyDown("not yet")
        await rig.take(message)

    await rig.consume(handler)
    await rig.publish(1)
    await eventually(lambda: rig.got)
    assert len(calls) == 3
    assert await rig.broker.dead_letters(rig.queue) == []


async def test_a_bad_message_does_not_hold_up_the_others_for_good(rig: Rig) -> None:
    async def handler(message: Message) -> None:
        if message.body == b"0":
            raise NotFound
        await rig.take(message)

    await rig.consume(handler)
    for number in range(5):
        await rig.publish(number)
    await eventually(lambda: rig.bodies() == [1, 2, 3, 4])


async def test_a_queue_may_drop_what_cannot_be_handled(rig: Rig) -> None:
    calls: list[str] = []
    handler = raising(NotFound(), calls)
    await rig.broker.consume(rig.queue, [rig.topic], handler, dead_letter=False)
    await rig.publish(1)
    await rig.publish(2)
    await eventually(lambda: len(calls) == 2)


async def test_a_message_that_nobody_asked_for_is_kept_aside_and_blocks_nothing(rig: Rig) -> None:
    message = await rig.publish(1)
    assert (message.id, message.topic) in [(m.id, m.topic) for m in await rig.broker.unrouted()]


async def test_messages_wait_for_a_consumer_that_is_away(rig: Rig) -> None:
    subscription = await rig.consume(rig.take)
    await asyncio.wait_for(subscription.close(), 5)  # an idle one closes at once
    for number in range(3):
        await rig.publish(number)
    assert rig.got == []
    await rig.consume(rig.take)
    await eventually(lambda: rig.bodies() == [0, 1, 2])


@pytest.mark.parametrize("whole", [False, True])
async def test_closing_lets_the_message_in_hand_be_finished_and_gives_back_the_others(
    rig: Rig, whole: bool
) -> None:
    """Closing the subscription, or the broker with all that it has."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(message: Message) -> None:
        begun.set()
        await may_end.wait()
        await rig.take(message)

    subscription = await rig.consume(slow)
    for number in (1, 2):
        await rig.publish(number)
    await begun.wait()
    closing = asyncio.create_task(rig.broker.close() if whole else subscription.close())
    await asyncio.sleep(0)
    assert not closing.done()
    may_end.set()
    await closing
    assert rig.bodies() == [1]
    await rig.consume(rig.take)
    await eventually(lambda: rig.bodies() == [1, 2])


async def test_the_trace_of_the_publisher_goes_on_in_the_handler(rig: Rig) -> None:
    traces: list[str] = []

    async def handler(_: Message) -> None:
        traces.append(telemetry.trace_parent())

    await rig.consume(handler)
    with telemetry.bind_trace(None) as trace:
        await rig.broker.publish(Message("id", rig.topic, b"", {"traceparent": trace}))
    await eventually(lambda: traces == [trace])


async def test_a_crash_of_the_broker_loses_nothing_and_consumers_come_back(rig: Rig) -> None:
    """While it is down publishing fails within the deadline and readiness says so."""
    away = await rig.consume(rig.take, f"{rig.queue}.away")
    await away.close()
    seen: list[Message] = []

    async def see(message: Message) -> None:
        seen.append(message)

    await rig.consume(see)
    for number in range(20):
        await rig.publish(number)
    await rig.outage.begin()
    begun = time.monotonic()
    with pytest.raises(PublishFailed):
        await rig.broker.publish(Message("lost", rig.topic, b""), deadline_s=2.0)
    with pytest.raises(BrokerDown):
        await rig.broker.ping()
    assert time.monotonic() - begun < 8.0
    await rig.outage.end()
    await rig.publish(20)
    await eventually(lambda: {m.id for m in seen} == {f"id-{n}" for n in range(21)})
    await rig.consume(rig.take, f"{rig.queue}.away")
    await eventually(lambda: rig.bodies() == list(range(21)))
    await rig.broker.ping()
