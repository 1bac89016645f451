"""A broker that is killed, frozen, restarted or slow: every publisher is answered, every consumer
comes back, nothing that was confirmed is lost. One suite for both brokers."""

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator

import pytest

from contracts.broker import BULKHEAD
from kit.messaging import Broker, BrokerDown, Message, PublishFailed
from kit.messaging.amqp import AmqpBroker
from kit.messaging.memory import MemoryBroker
from ops.local.rabbitmq import RabbitMq
from tests.broker_crash import crash, until_on_disk
from tests.eventually import eventually
from tests.kit.frozen import is_frozen

KINDS = ["memory", "killed", "frozen", "restarted"]
PUBLISHERS, TRIES = 5, 4


class Outage:
    """One way in which a broker can be away."""

    def __init__(self, kind: str, broker: Broker, node: RabbitMq | None) -> None:
        self._kind, self._broker, self._node = kind, broker, node

    async def begin(self, queues: list[str]) -> None:
        if isinstance(self._broker, MemoryBroker):
            self._broker.down = True
            return
        assert self._node is not None
        match self._kind:
            case "killed":
                await crash(self._node, queues)
            case "restarted":
                await until_on_disk(self._node, queues)
                await asyncio.to_thread(self._node.stop)
            case _:
                assert self._node.pid is not None
                os.kill(self._node.pid, signal.SIGSTOP)
                await eventually(lambda: is_frozen(self._node.pid if self._node else None))

    async def end(self) -> None:
        if isinstance(self._broker, MemoryBroker):
            self._broker.down = False
        elif self._node is not None and self._node.pid is None:
            await asyncio.to_thread(self._node.start)
        elif self._node is not None and self._node.pid is not None:
            os.kill(self._node.pid, signal.SIGCONT)


class Rig:
    def __init__(self, broker: Broker, outage: Outage) -> None:
        self.broker, self.outage = broker, outage
        self.queue = f"test.{secrets.token_hex(4)}"
        self.got: set[str] = set()

    async def take(self, message: Message) -> None:
        self.got.add(message.id)

    async def publish(self, name: str, deadline_s: float = 5.0) -> None:
        await self.broker.publish(Message(name, self.queue, b""), deadline_s=deadline_s)


@pytest.fixture(params=KINDS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "memory":
        memory = MemoryBroker()
        yield Rig(memory, Outage(request.param, memory, None))
        await memory.close()
        return
    node: RabbitMq = request.getfixturevalue("rabbitmq")
    broker = await AmqpBroker.connect(f"{node.url}?heartbeat=1", BULKHEAD, retry_pauses_s=(0.0,))
    outage = Outage(request.param, broker, node)
    yield Rig(broker, outage)
    await outage.end()
    await broker.close()


async def try_on(rig: Rig, number: int) -> list[type[BaseException] | None]:
    """What one publisher of several is told; each gives up at a time of its own, and all of them
    are at it when the client finds (by its heartbeat) that the connection is dead."""
    told: list[type[BaseException] | None] = []
    for _ in range(TRIES):
        try:
            await rig.publish("during", deadline_s=2.0 + number * 0.3)
        except BaseException as error:
            told.append(type(error))
        else:
            told.append(None)
    return told


async def test_publishers_that_share_the_broker_are_all_told_and_none_is_cancelled(
    rig: Rig,
) -> None:
    """The first to give up closes the channel under the others: that is a failure to publish,
    never a cancellation that would end their loops."""
    await rig.broker.consume(rig.queue, [rig.queue], rig.take)
    await rig.publish("before")
    await rig.outage.begin([rig.queue, f"{rig.queue}.dead"])
    told = await asyncio.gather(*(try_on(rig, number) for number in range(PUBLISHERS)))
    assert told == [[PublishFailed] * TRIES] * PUBLISHERS
    with pytest.raises(BrokerDown):
        await rig.broker.ping()
    await rig.outage.end()

    async def is_back() -> bool:
        with contextlib.suppress(PublishFailed):
            await rig.publish("after")
            return True
        return False

    await eventually(is_back, 60)
    await eventually(lambda: {"before", "after"} <= rig.got, 60)
    await rig.broker.ping()


async def test_a_slow_broker_loses_nothing_that_it_has_confirmed(rabbitmq: RabbitMq) -> None:
    """It stops for a moment again and again, as a machine does that has too much to do."""
    broker = await AmqpBroker.connect(rabbitmq.url, BULKHEAD, retry_pauses_s=(0.0,))
    rig = Rig(broker, Outage("slow", broker, rabbitmq))
    await broker.consume(rig.queue, [rig.queue], rig.take)
    confirmed: set[str] = set()

    async def publish(name: str) -> None:
        with contextlib.suppress(PublishFailed):
            await rig.publish(name, deadline_s=0.2)
            confirmed.add(name)

    for round_ in range(5):
        await rig.outage.begin([])
        publishing = asyncio.gather(*(publish(f"{round_}-{n}") for n in range(PUBLISHERS)))
        await asyncio.wait({publishing}, timeout=0.1)
        await rig.outage.end()
        await publishing
        await publish(f"{round_}-between")
    await eventually(lambda: confirmed <= rig.got)
    await broker.close()
