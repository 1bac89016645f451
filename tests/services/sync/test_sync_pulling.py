"""Reading the journal: a page and its position are saved together, or not at all."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId
from sandbox.dataverse import DataverseSimulator
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.strangers import is_quiet


async def stored(sync: Sync, connection: str) -> tuple[str | None, int]:
    """How far the connection has read, and how many records it knows."""
    async with sync.parts.db.read() as session:
        row = await connections.get(session, ConnectionId(UUID(connection)))
        rows = await session.scalar(text("SELECT count(*) FROM outgoing"))
    assert row is not None
    return row["position"], int(rows)


async def test_a_page_that_was_asked_for_before_a_fresh_start_is_not_saved(sync: Sync) -> None:
    connection = await sync.connect()
    await eventually(lambda: sync.peer.positions)
    await sync.settled(connection)
    sync.peer.fill(3)
    sync.peer.positions.clear()

    async def choose_again() -> None:
        async with sync.parts.db.write() as session:
            await connections.start_over(session, sync.tenant, ConnectionId(UUID(connection)))

    sync.peer.meanwhile = choose_again
    await sync.settled(connection, ok=3)
    # What was asked for after "a:0" came to nothing: all records were asked for again.
    assert sync.peer.positions[:2] == ["a:0", ""]


@pytest.mark.parametrize("change", ["state = 'paused'", "state = 'removed'", "suspended = true"])
async def test_a_connection_that_stopped_while_a_page_was_read_saves_nothing(
    change: str,
    sync_url: str,
    tmp_path: Path,
    simulator: DataverseSimulator,
    peer: PeerTenants,
) -> None:
    """A removed connection would otherwise get rows that nobody forgets."""
    peer.fill(3)
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        connection = await sync.connect()

        async def stop() -> None:
            async with sync.parts.db.write() as session:
                await session.run(text(f"UPDATE connection SET {change}"))

        peer.meanwhile = stop
        sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
        await eventually(lambda: peer.positions)
        await eventually(lambda: is_quiet(sync))
        assert await stored(sync, connection) == (None, 0)
    assert simulator.requests("$batch") == []


async def test_a_long_journal_is_read_page_by_page_each_after_the_one_before(
    sync_url: str, tmp_path: Path, simulator: DataverseSimulator, peer: PeerTenants
) -> None:
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0, page_rows=2
    ) as sync:
        connection = await sync.connect()
        sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
        await eventually(lambda: len(peer.positions) == 1)
        await eventually(lambda: is_quiet(sync))
        peer.fill(5)
        sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
        await sync.settled(connection, ok=5)
        assert peer.positions == ["", "a:0", "a:2", "a:4"]
        assert (await stored(sync, connection))[0] == "a:5"


async def test_the_last_change_of_a_record_within_a_page_counts(sync: Sync) -> None:
    connection = await sync.connect()
    await sync.settled(connection)
    await eventually(lambda: sync.peer.positions)
    gone = sync.peer.put("ONE", name="A")
    sync.peer.delete(gone)
    sync.peer.put("TWO", name="B")
    sync.peer.put("OTHER", module="person", name="C")
    await sync.settled(connection, ok=1)
    assert [body for _, body in sync.sent()] == [{"name": "B"}]
