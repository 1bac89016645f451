"""A push that has lost its lock, and with it the connection that held it, undoes no other push."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import event, text

from contracts.ids import ConnectionId, new_id
from kit.db import Database
from services.sync.push.lock import locked
from services.sync.store import connections, outgoing
from tests.eventually import eventually
from tests.services.sync.held_egress import HeldEgress
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import LIMITS, Sync, injected_name, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet

_END = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_database d ON d.oid = database"
    " WHERE locktype = 'advisory' AND granted AND d.datname = current_database()"
)


@pytest.fixture
def held(simulator: SimulatedCrm) -> HeldEgress:
    return HeldEgress.injecting(injected_name(simulator), limits=LIMITS)


@pytest.fixture
async def first(
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    held: HeldEgress,
) -> AsyncIterator[Sync]:
    """Its first batch is held; nothing wakes it but the test."""
    async with running_sync(
        sync_url, tmp_path, simulator, peer, egress=held, sweep_s=600.0
    ) as running:
        yield running


async def end_locks(sync_url: str) -> None:
    """What a crash of PostgreSQL's backend, or of the way to it, does to the push under way."""
    db = Database(sync_url)
    async with db.read() as session:
        assert await session.scalar(_END) == 1
    await db.close()


async def test_what_left_late_does_not_stay_in_the_crm_and_its_outcome_is_not_written(
    first: Sync, held: HeldEgress, sync_url: str, tmp_path: Path
) -> None:
    first.peer.put("ONE", name="Old")
    connection = await first.connect()
    await eventually(held.held.is_set)
    await end_locks(sync_url)
    first.peer.put("ONE", name="New")
    async with running_sync(sync_url, tmp_path, first.simulator, first.peer) as second:
        await second.settled(connection, ok=1)
        assert [row["name"] for row in first.simulator.records()] == ["New"]
        held.let_go.set()
        await eventually(lambda: len(first.sent()) == 3)
        await second.settled(connection, ok=1)
    assert [body["name"] for _, body in first.sent()] == ["New", "Old", "New"]
    assert [row["name"] for row in first.simulator.records()] == ["New"]


async def test_what_stopped_a_push_that_was_overtaken_stops_no_other(
    first: Sync, held: HeldEgress, sync_url: str, tmp_path: Path
) -> None:
    first.peer.put("ONE", name="Old")
    connection = await first.connect()
    await eventually(held.held.is_set)
    await end_locks(sync_url)
    async with running_sync(sync_url, tmp_path, first.simulator, first.peer) as second:
        await second.settled(connection, ok=1)
        first.simulator.add_fault(
            kind="status", path=first.simulator.BATCH, status=403, body="json", times=1
        )
        held.let_go.set()
        await eventually(lambda: len(first.batches()) == 3)
        await second.settled(connection, ok=1)
        assert (await second.get(f"/{connection}"))["state"] == "active"


async def test_a_push_that_lost_its_lock_goes_on_as_long_as_no_other_begins(
    first: Sync, held: HeldEgress, sync_url: str
) -> None:
    first.peer.put("ONE", name="A")
    connection = await first.connect()
    await eventually(held.held.is_set)
    await end_locks(sync_url)
    held.let_go.set()
    await first.settled(connection, ok=1)
    first.peer.put("ONE", name="B")
    first.parts.pusher.wake(first.tenant, ConnectionId(UUID(connection)), 0.0)
    await eventually(lambda: [body["name"] for _, body in first.sent()] == ["A", "B"])
    await first.settled(connection, ok=1)


async def test_what_was_read_before_another_push_began_settles_nothing(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """The other push has been told of a change that those values do not hold."""
    record = peer.put("ONE", name="A")
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        connection = await sync.connect()
        id_ = ConnectionId(UUID(connection))
        sync.parts.pusher.wake(sync.tenant, id_, 0.0)
        await sync.settled(connection, ok=1)
        await eventually(lambda: is_quiet(sync))

        async def another_push_begins() -> None:
            async with sync.parts.db.write() as session:
                assert await connections.begin_push(session, id_)
                await outgoing.mark_again(session, id_, [record])

        peer.once_read = another_push_begins
        peer.put("ONE", cik="not chosen: there is nothing to send")
        sync.parts.pusher.wake(sync.tenant, id_, 0.0)
        await eventually(lambda: peer.once_read is None)
        await eventually(lambda: is_quiet(sync))
        await sync.settled(connection, pending=1)


async def test_a_push_that_is_ended_while_it_asks_for_its_lock_ends(sync_url: str) -> None:
    """Its cancellation must not get lost in the connection that it breaks."""
    db, asked = Database(sync_url), asyncio.Event()
    event.listen(db._engine.sync_engine, "before_cursor_execute", lambda *_: asked.set())

    async def push() -> None:
        async with locked(db, ConnectionId(new_id())):
            raise AssertionError("it was ended before")

    running = asyncio.create_task(push())
    await asked.wait()
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    await db.close()


async def test_what_ends_a_push_comes_out_of_its_lock_and_the_lock_is_free(sync_url: str) -> None:
    db, connection = Database(sync_url), ConnectionId(new_id())
    with pytest.raises(ConnectionResetError):
        async with locked(db, connection):
            raise ConnectionResetError
    async with locked(db, connection) as is_free:
        assert is_free
    await db.close()
