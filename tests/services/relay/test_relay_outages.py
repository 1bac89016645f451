"""The relay as a process while its broker is frozen past the heartbeat, or killed and restarted:
health and the age of what waits tell the truth meanwhile, and every outbox drains afterwards."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contracts.broker import BULKHEAD
from kit import outbox
from kit.db import Database
from kit.messaging import PUBLISH_DEADLINE_S, Message
from kit.messaging.amqp import AmqpBroker
from ops.local.rabbitmq import RabbitMq
from tests.broker_crash import crash
from tests.eventually import eventually
from tests.kit.frozen import is_frozen
from tests.outboxes import OutboxDatabase, ThingHappened, outbox_database
from tests.services.relay.relay_process import RelayProcess

SERVICES = ("auth", "backup", "gateway", "sync", "tenants")
HEARTBEAT_S = 1


@pytest.fixture
async def databases(cluster: Any) -> AsyncIterator[dict[str, OutboxDatabase]]:
    """Five outboxes: their followers share a channel, which one of them closes under the others."""
    async with contextlib.AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(outbox_database(cluster, name))
            for name in SERVICES
        }


@pytest.fixture
def relay(
    databases: dict[str, OutboxDatabase],
    rabbitmq: RabbitMq,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> Iterator[RelayProcess]:
    urls = {name: database.relay_url for name, database in databases.items()}
    amqp_url = f"{rabbitmq.url}?heartbeat={HEARTBEAT_S}"
    process = RelayProcess(tmp_path, free_port(), urls, amqp_url)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.end()


@contextlib.asynccontextmanager
async def frozen(node: RabbitMq, _queue: str) -> AsyncIterator[None]:
    pid = node.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await eventually(lambda: is_frozen(pid))
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def killed(node: RabbitMq, queue: str) -> AsyncIterator[None]:
    await crash(node, [queue, f"{queue}.dead"])
    try:
        yield
    finally:
        await asyncio.to_thread(node.start)


async def ages(relay: RelayProcess) -> dict[str, float]:
    return await relay.metric("bulkhead_outbox_oldest_seconds", "outbox")


@pytest.mark.parametrize("outage", [frozen, killed])
async def test_a_broker_that_was_away_past_its_heartbeat_is_told_and_every_outbox_drains(
    databases: dict[str, OutboxDatabase],
    open_db: Callable[[str], Database],
    rabbitmq: RabbitMq,
    relay: RelayProcess,
    outage: Callable[[RabbitMq, str], contextlib.AbstractAsyncContextManager[None]],
) -> None:
    stores, arrived = [open_db(one.url) for one in databases.values()], set[int]()
    queue = f"test.relay.{uuid.uuid4()}"

    async def take(message: Message) -> None:
        arrived.add(ThingHappened.from_message(message).number)

    async def write(number: int) -> None:
        for place, db in enumerate(stores):
            async with db.write() as session:
                happened = ThingHappened(thing=uuid.uuid4(), number=number + place)
                await outbox.add(session, happened)

    async def is_told() -> bool:
        return bool((await relay.health())["checks"]["broker"] != "ok")

    async def all_wait_longer_than(seconds: float) -> bool:
        assert await relay.status() == 503
        found = await ages(relay)
        return found.keys() == set(SERVICES) and min(found.values()) > seconds

    async def is_over() -> bool:
        waiting = [await one.waiting() for one in databases.values()]
        return not any(waiting) and not any((await ages(relay)).values())

    broker = await AmqpBroker.connect(rabbitmq.url, BULKHEAD)
    await broker.consume(queue, [ThingHappened.topic], take)
    relay.start()
    await eventually(relay.is_ready)
    await write(0)
    await eventually(lambda: arrived == set(range(5)))
    async with outage(rabbitmq, queue):
        await write(10)
        await eventually(is_told)
        for seconds in (0, PUBLISH_DEADLINE_S, PUBLISH_DEADLINE_S + 4 * HEARTBEAT_S):
            await eventually(partial(all_wait_longer_than, seconds))
        await write(20)
    await eventually(is_over, 60)
    await eventually(lambda: arrived == {n + place for n in (0, 10, 20) for place in range(5)}, 60)
    await eventually(relay.is_ready)
    ends = await relay.metric("bulkhead_loop_ends_total", "loop")
    assert ends == {}  # what the library cancelled was told as a failure to publish
    await broker.close()
