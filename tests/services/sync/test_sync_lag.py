"""How far behind a CRM is can be seen: the age of the oldest unsent change of all connections."""

import math
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.events import JournalAdvanced
from contracts.ids import ConnectionId
from services.sync.lag import Lag
from services.sync.push.unread import Unread
from services.sync.store import outgoing, outgoing_counts
from services.sync.store.outgoing import Marked
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync

HOUR = 3600


def gauge(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"bulkhead_sync_{name}", labels)
    assert value is not None
    return value


async def run(sync: Sync, sql: str, **values: object) -> None:
    async with sync.parts.db.write() as session:
        await session.run(text(sql), values)


async def wait_for(sync: Sync, connection: str, hours: int) -> None:
    """Its rows wait, and have done so for hours."""
    await run(
        sync,
        "UPDATE outgoing SET state = 'retry', not_before = now() + interval '1 day',"
        " waiting_since = now() - make_interval(hours => :hours) WHERE connection = :connection",
        hours=hours,
        connection=UUID(connection),
    )


async def looked(sync: Sync) -> Lag:
    lag = Lag(sync.parts.db, late_s=60)
    await lag.look()
    return lag


async def test_the_oldest_unsent_change_of_any_connection_is_the_lag(sync: Sync) -> None:
    sync.peer.fill(2)
    behind, other = await sync.connect(), await sync.connect(modules=sync.apart(1))
    for connection in (behind, other):
        await sync.settled(connection, ok=2)
    lag = await looked(sync)
    assert gauge("lag_seconds") == 0
    await wait_for(sync, behind, 2)
    await lag.look()
    assert 2 * HOUR <= gauge("lag_seconds") < 3 * HOUR
    assert [gauge("lagging_connections", over=over) for over in ("60", "600", "3600")] == [1, 1, 1]
    await wait_for(sync, other, 0)
    await lag.look()
    assert [gauge("lagging_connections", over=over) for over in ("60", "600", "3600")] == [1, 1, 1]


async def test_what_waits_for_a_person_is_no_lag_but_is_counted(sync: Sync) -> None:
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await wait_for(sync, connection, 2)
    await run(sync, "UPDATE connection SET state = 'broken'")
    lag = await looked(sync)
    assert gauge("lag_seconds") == 0
    assert [gauge("connections", state=state) for state in ("active", "broken", "paused")] == [
        *(0, 1, 0)
    ]
    sync.peer.state = "suspended"  # else sync takes back what only its table says

    async def is_suspended() -> bool:
        async with sync.parts.db.read() as session:
            return bool(await session.scalar(text("SELECT suspended FROM connection")))

    await eventually(is_suspended)
    await run(sync, "UPDATE connection SET state = 'active'")
    await lag.look()
    assert gauge("lag_seconds") == 0


async def test_modules_that_are_not_mapped_any_more_wait_for_nothing(sync: Sync) -> None:
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await wait_for(sync, connection, 2)
    await run(sync, "UPDATE outgoing SET module = 'person'")
    await looked(sync)
    assert gauge("lag_seconds") == 0


async def test_a_record_that_changes_while_it_waits_has_waited_all_the_time(sync: Sync) -> None:
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await run(sync, "UPDATE connection SET state = 'paused'")  # nothing is sent meanwhile
    await wait_for(sync, connection, 2)
    async with sync.parts.db.read() as session:
        (row,) = await session.all(text("SELECT record, key FROM outgoing"))
    changed = Marked(row["record"], "organisation", row["key"], row["key"].lower())

    async def marked() -> float:
        async with sync.parts.db.write() as session:
            await outgoing.mark(session, ConnectionId(UUID(connection)), [changed])
            assert not await outgoing.mark_some(
                session, ConnectionId(UUID(connection)), UUID(int=0), 100
            )
        await run(sync, "UPDATE connection SET state = 'active', retry_at = now() + '1 day'")
        await looked(sync)
        await run(sync, "UPDATE connection SET state = 'paused'")
        return gauge("lag_seconds")

    assert await marked() >= 2 * HOUR
    await run(sync, "UPDATE outgoing SET state = 'ok'")
    assert await marked() < HOUR


async def test_who_has_not_looked_lately_knows_nothing(sync: Sync) -> None:
    lag = Lag(sync.parts.db, late_s=60)
    assert math.isnan(gauge("lag_seconds"))
    await lag.look()
    assert gauge("lag_seconds") == 0
    lag = Lag(sync.parts.db, late_s=0)
    await lag.look()
    assert math.isnan(gauge("lag_seconds"))


async def test_a_look_costs_by_connections_and_not_by_what_waits(sync: Sync) -> None:
    connection = await sync.connect()
    await run(sync, "UPDATE connection SET retry_at = now() + interval '1 day'")
    insert = (
        "INSERT INTO outgoing (connection, record, module, key, state)"
        " SELECT :connection, gen_random_uuid(), 'organisation', 'K', 'retry'"
        " FROM generate_series(1, :rows)"
    )

    async def cost(rows: int) -> int:
        await run(sync, insert, connection=UUID(connection), rows=rows)
        await run(sync, "ANALYZE outgoing")
        asked = outgoing_counts._WAITING_SINCE.text
        explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked}")
        async with sync.parts.db.read() as session:
            (plan,) = await session.scalar(explain)
        return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])

    few = await cost(1_000)
    assert await cost(20_000) < 3 * few


async def test_changes_that_nobody_has_read_yet_grow_old(sync: Sync) -> None:
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await eventually(lambda: gauge("unread_seconds") == 0)
    sync.peer.down = True
    sync.peer.put("K-late", name="Late")
    await sync.tell(JournalAdvanced(tenant=sync.tenant))
    await eventually(lambda: gauge("unread_seconds") > 0.5)
    await sync.settled(connection, ok=1)
    sync.peer.down = False
    await sync.settled(connection, ok=2)
    await eventually(lambda: gauge("unread_seconds") == 0)


async def test_what_was_told_while_it_was_read_is_still_to_be_read() -> None:
    unread, connection = Unread(), ConnectionId(UUID(int=1))
    unread.note(connection)
    with unread.read(connection):
        unread.note(connection)
    assert gauge("unread_seconds") > 0
    with pytest.raises(ConnectionError), unread.read(connection):
        raise ConnectionError
    assert gauge("unread_seconds") > 0
    with unread.read(connection):
        assert gauge("unread_seconds") > 0
    assert gauge("unread_seconds") == 0
