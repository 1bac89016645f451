"""The relay between a real PostgreSQL and a real RabbitMQ: nothing lost, whoever is killed."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from contracts.broker import BULKHEAD
from kit import outbox
from kit.db import Database
from kit.messaging import Message, PublishFailed
from kit.messaging.amqp import AmqpBroker
from kit.messaging.memory import MemoryBroker
from kit.relay import OutboxDown, Relay
from kit.supervisor import Supervisor, supervising
from ops.local.rabbitmq import RabbitMq
from tests.broker_crash import crash
from tests.eventually import eventually
from tests.outboxes import OutboxDatabase, ThingHappened


class Recorder(MemoryBroker):
    """A broker whose confirmations can be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[int] = []
        self.confirm_at_most: int | None = None

    async def publish(self, message: Message, *, deadline_s: float = 5.0) -> None:
        if self.down:
            raise PublishFailed("down")
        self.published.append(ThingHappened.from_message(message).number)
        if self.confirm_at_most is not None and len(self.published) > self.confirm_at_most:
            raise PublishFailed("it has arrived, but nobody said so")


@contextlib.asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator[None]:
    async with supervising(Supervisor()) as supervisor:
        for name, run in relay.loops().items():
            supervisor.start(name, run)
        yield


async def write(db: Database, numbers: range) -> None:
    for number in numbers:
        async with db.write() as session:
            await outbox.add(session, ThingHappened(thing=uuid.uuid4(), number=number))


def is_empty(database: OutboxDatabase) -> Callable[[], Any]:
    async def check() -> bool:
        return await database.waiting() == 0

    return check


async def test_notices_are_published_in_order_and_leave_the_outbox(
    database: OutboxDatabase, db: Database
) -> None:
    broker = Recorder()
    await write(db, range(5))
    async with relaying(Relay({"sync": database.relay_url}, broker)):
        await eventually(is_empty(database))
        await write(db, range(5, 250))
        await eventually(is_empty(database))
    assert broker.published == list(range(250))


async def test_what_was_not_confirmed_is_published_again_before_what_follows(
    database: OutboxDatabase, db: Database
) -> None:
    broker = Recorder()
    broker.confirm_at_most = 3
    await write(db, range(6))
    async with relaying(Relay({"sync": database.relay_url}, broker)):
        await eventually(lambda: len(broker.published) >= 4)
        broker.confirm_at_most = None
        await eventually(is_empty(database))
    assert broker.published[:4] == [0, 1, 2, 3]
    assert broker.published[-3:] == [3, 4, 5]
    assert (broker.published.count(0), broker.published.count(3) > 1) == (1, True)


async def test_of_two_relays_one_leads_and_the_other_takes_over(
    database: OutboxDatabase, db: Database, cluster: Any
) -> None:
    first, second = Recorder(), Recorder()
    urls = {"sync": database.relay_url}
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(relaying(Relay(urls, first)))
        await eventually(lambda: _is_led(database))
        await stack.enter_async_context(relaying(Relay(urls, second)))
        await write(db, range(20))
        await eventually(is_empty(database))
        assert (first.published, second.published) == (list(range(20)), [])
        first.down = True
        await cluster.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database"
            f" WHERE locktype = 'advisory' AND granted AND datname = '{database.name}'"
        )
        await write(db, range(20, 40))
        await eventually(is_empty(database))
        assert second.published == list(range(20, 40))


async def test_an_outbox_that_is_out_of_reach_holds_up_no_other(
    database: OutboxDatabase, db: Database
) -> None:
    broker = Recorder()
    nowhere = "postgresql://bulkhead_relay:x@127.0.0.1:1/nothing"
    relay = Relay({"auth": nowhere, "sync": database.relay_url}, broker)
    async with relaying(relay):
        await write(db, range(3))
        await eventually(is_empty(database))
        with pytest.raises(OutboxDown, match=r"out of reach: auth$"):
            await relay.check_outboxes()


async def test_nothing_is_lost_when_relay_and_broker_are_killed(
    database: OutboxDatabase, db: Database, rabbitmq: RabbitMq
) -> None:
    arrived: list[int] = []

    async def take(message: Message) -> None:
        arrived.append(ThingHappened.from_message(message).number)

    broker = await AmqpBroker.connect(rabbitmq.url, BULKHEAD)
    queue = f"test.relay.{uuid.uuid4()}"
    await broker.consume(queue, [ThingHappened.topic], take)
    writing = asyncio.create_task(write(db, range(300)))
    async with relaying(Relay({"sync": database.relay_url}, broker)):
        await eventually(lambda: len(arrived) > 10)
    async with relaying(Relay({"sync": database.relay_url}, broker)):
        await eventually(lambda: len(arrived) > 50)
        await crash(rabbitmq, [queue, f"{queue}.dead"])
        await writing
        await asyncio.to_thread(rabbitmq.start)
        await eventually(is_empty(database), 30)
        await eventually(lambda: set(arrived) == set(range(300)), 30)
    firsts = list(dict.fromkeys(arrived))
    assert firsts == sorted(firsts)
    await broker.close()


async def _is_led(database: OutboxDatabase) -> bool:
    sql = (
        "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
    )
    return bool(await database.fetch(sql))
