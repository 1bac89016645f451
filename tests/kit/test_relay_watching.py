"""The relay at rest does nothing, a backlog is not dosed out, age and readiness are true."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from prometheus_client import REGISTRY

from kit import chassis, clock, outbox, relay
from kit.chassis import Made
from kit.db import Database
from kit.messaging import Message, PublishFailed
from kit.messaging.memory import MemoryBroker
from kit.relay import OutboxDown, Relay
from kit.supervisor import Supervisor, supervising
from tests.eventually import eventually
from tests.outboxes import OutboxDatabase, ThingHappened

NEVER_S = 3600.0
LED = (
    "SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
)
CONNECTED = (
    "SELECT pid, query_start, query FROM pg_stat_activity"
    " WHERE usename = 'bulkhead_relay' AND datname = current_database() ORDER BY pid"
)


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    async with supervising(Supervisor()) as made:
        yield made


@pytest.fixture
def polls_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL_S", NEVER_S)
    monkeypatch.setattr(relay, "RETRY_S", NEVER_S)


def start(supervisor: Supervisor, made: Relay) -> None:
    for name, run in made.loops().items():
        supervisor.start(name, run)


async def write(db: Database, count: int) -> None:
    async with db.write() as session:
        for number in range(count):
            await outbox.add(session, ThingHappened(thing=uuid.uuid4(), number=number))


async def is_empty(database: OutboxDatabase) -> bool:
    return await database.waiting() == 0


async def is_led(database: OutboxDatabase) -> bool:
    return bool(await database.fetch(LED))


def age_of(name: str) -> float:
    age = REGISTRY.get_sample_value("bulkhead_outbox_oldest_seconds", {"outbox": name})
    assert age is not None
    return age


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = clock.now() + timedelta(seconds=seconds)
    monkeypatch.setattr(clock, "now", lambda: now)


@pytest.mark.usefixtures("polls_never")
async def test_a_backlog_is_relayed_without_a_pause_between_batches(
    database: OutboxDatabase, db: Database, supervisor: Supervisor
) -> None:
    await write(db, 1000)
    start(supervisor, Relay({"sync": database.relay_url}, MemoryBroker()))
    await eventually(lambda: is_empty(database))


@pytest.mark.usefixtures("polls_never")
async def test_at_rest_neither_leader_nor_standby_asks_anything(
    database: OutboxDatabase, db: Database, supervisor: Supervisor, cluster: Any
) -> None:
    urls = {"sync": database.relay_url}
    start(supervisor, Relay(urls, MemoryBroker()))
    await eventually(lambda: is_led(database))
    start(supervisor, Relay(urls, MemoryBroker()))
    await write(db, 3)
    await eventually(lambda: is_empty(database))

    watching = await cluster.superuser(database.name)  # others do not see when a role asked

    async def asked() -> list[Any]:
        return [tuple(row) for row in await watching.fetch(CONNECTED)]

    async def both_rest() -> bool:
        before = await asked()
        for _ in range(20):
            await database.fetch("SELECT 1")
        return len(before) == 2 and await asked() == before

    try:
        await eventually(both_rest, 5)
    finally:
        await watching.close()


@pytest.mark.usefixtures("polls_never")
async def test_an_outbox_that_is_away_is_not_asked_without_a_pause(supervisor: Supervisor) -> None:
    calls, asked = 0, asyncio.Event()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        asked.set()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"postgresql://x:x@127.0.0.1:{port}/x?sslmode=disable"
    start(supervisor, Relay({"away": url}, MemoryBroker()))
    await asked.wait()
    for _ in range(200):  # enough turns of the loop for another try
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read()
        writer.close()
    server.close()
    assert calls == 1 + 200


async def test_readiness_tells_that_an_outbox_is_away_and_that_it_is_back(
    database: OutboxDatabase, supervisor: Supervisor, cluster: Any
) -> None:
    made = Relay({"sync": database.relay_url}, MemoryBroker())
    with pytest.raises(OutboxDown):
        await made.check_outboxes()
    start(supervisor, made)

    async def is_away() -> bool:
        return not await is_reachable(made)

    await eventually(lambda: is_reachable(made))
    await cluster.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    try:
        await cluster.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE usename = 'bulkhead_relay' AND datname = '{database.name}'"
        )
        await eventually(is_away)
    finally:
        await cluster.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
    await eventually(lambda: is_reachable(made))


async def test_the_age_grows_while_nobody_relays_and_is_an_alarm_only_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later(monkeypatch, 0)
    Relay({"nobody": "postgresql://x:x@127.0.0.1:1/x"}, MemoryBroker())
    assert age_of("nobody") == 0
    later(monkeypatch, relay.LOOK_LATE_S)
    assert age_of("nobody") == 0
    later(monkeypatch, 1)
    assert age_of("nobody") == relay.LOOK_LATE_S + 1
    later(monkeypatch, 1000)
    assert age_of("nobody") == relay.LOOK_LATE_S + 1001


async def test_the_age_is_that_of_the_oldest_notice_grows_as_it_is_read_and_ends_with_it(
    database: OutboxDatabase,
    db: Database,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = MemoryBroker()
    broker.down = True
    await write(db, 2)
    await database.fetch("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE seq = 1")
    start(supervisor, Relay({"old": database.relay_url}, broker))
    await eventually(lambda: 3600 <= age_of("old") < 3700)
    with monkeypatch.context() as patch:
        later(patch, 5000)  # the follower may be frozen: nobody looks in between
        assert age_of("old") >= 8600
    broker.down = False
    await eventually(lambda: is_empty(database))
    await eventually(lambda: age_of("old") == 0)
    later(monkeypatch, 7200)  # at rest the looks go on
    await eventually(lambda: age_of("old") == 0)


async def test_the_age_is_zero_where_another_relay_leads(
    database: OutboxDatabase,
    db: Database,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leader = await asyncpg.connect(database.relay_url)
    try:
        assert await leader.fetchval("SELECT pg_try_advisory_lock($1)", relay.LEADER_LOCK)
        await write(db, 1)
        made = Relay({"standing-by": database.relay_url}, MemoryBroker())
        start(supervisor, made)
        await eventually(lambda: is_reachable(made))
        assert age_of("standing-by") == 0
        later(monkeypatch, 3600)
        await eventually(lambda: age_of("standing-by") == 0)
        assert await database.waiting() == 1
    finally:
        await leader.close()


async def is_reachable(made: Relay) -> bool:
    try:
        await made.check_outboxes()
    except OutboxDown:
        return False
    return True


async def test_what_was_confirmed_before_a_failure_leaves_the_outbox(
    database: OutboxDatabase, db: Database, supervisor: Supervisor
) -> None:
    class Failing(MemoryBroker):
        sent = 0

        async def publish(self, message: Message, *, deadline_s: float = 5.0) -> None:
            if self.sent == 3:
                raise PublishFailed("no more")
            self.sent += 1

    await write(db, 5)
    start(supervisor, Relay({"sync": database.relay_url}, Failing()))

    async def two_wait() -> bool:
        return await database.waiting() == 2

    await eventually(two_wait)


async def test_a_follower_that_a_stray_cancellation_ends_is_told_and_drains_its_outbox(
    database: OutboxDatabase, db: Database
) -> None:
    """A library that cancels its users, as one did when a channel was closed under them."""

    class Cancelling(MemoryBroker):
        is_cancelling = True

        async def publish(self, message: Message, *, deadline_s: float = 5.0) -> None:
            if self.is_cancelling:
                raise asyncio.CancelledError

    broker = Cancelling()
    made = Relay({"sync": database.relay_url}, broker)
    app = chassis.build(
        Made(
            name="relay",
            broker=broker,
            loops=made.loops(),
            needed={"outboxes": made.check_outboxes},
            needs_loops=True,
        )
    )
    await write(db, 5)
    transport = httpx2.ASGITransport(app)
    async with app.router.lifespan_context(app):
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:

            async def is_told() -> bool:
                ready = await client.get("/readyz")
                said = ready.json()["checks"]["loops"]
                return ready.status_code == 503 and "relay sync (fell" in said

            await eventually(is_told)
            assert await database.waiting() == 5
            broker.is_cancelling = False
            await eventually(lambda: is_empty(database))
            assert (await client.get("/readyz")).status_code == 200
