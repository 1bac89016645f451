"""Reading the journal: a page and its position are saved together, or not at all."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet


async def stored(sync: Sync, connection: str) -> tuple[str | None, int]:
    """How far the connection has read, and how many records it knows."""
    async with sync.parts.db.read() as session:
        row = await connections.get(session, ConnectionId(UUID(connection)))
        rows = await session.scalar(text("SELECT count(*) FROM outgoing"))
    assert row is not None
    return row.position, int(rows)


async def test_a_page_that_was_asked_for_before_another_push_began_is_not_saved(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(3)
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        connection = await sync.connect()
        id_ = ConnectionId(UUID(connection))

        async def begin_another() -> None:
            async with sync.parts.db.write() as session:
                assert await connections.begin_push(session, id_)
            assert await stored(sync, connection) == (None, 0)

        peer.meanwhile = begin_another
        sync.parts.pusher.wake(sync.tenant, id_, 0.0)
        await eventually(lambda: peer.positions)
        await eventually(lambda: is_quiet(sync))
        assert await stored(sync, connection) == (None, 0)
        sync.parts.pusher.wake(sync.tenant, id_, 0.0)
        await sync.settled(connection, ok=3)
        assert peer.positions == ["", ""]


async def test_a_choice_that_changes_while_a_page_is_read_is_obeyed_by_the_next_one(
    sync: Sync,
) -> None:
    """Nothing tells of it: the feed starts over by itself."""
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)
    before = len(sync.sent())

    async def choose() -> None:
        sync.peer.choice = {"organisation": ["name"]}

    sync.peer.meanwhile = choose
    for key in ("K0", "K1", "K2"):
        sync.peer.put(key, name=f"{key} new", sector="Materials")
    await eventually(lambda: len(sync.sent()) == before + 3)
    await sync.settled(connection, ok=3)
    assert {name for _, body in sync.sent()[before:] for name in body} == {"name"}


@pytest.mark.parametrize("change", ["state = 'paused'", "state = 'removed'", "suspended = true"])
async def test_a_connection_that_stopped_while_a_page_was_read_saves_nothing(
    change: str,
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
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
    assert simulator.requests(simulator.BATCH) == []


async def test_a_long_journal_is_read_page_by_page_each_after_the_one_before(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
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
        assert [after.rpartition(":")[2] for after in peer.positions] == ["", "0", "2", "4"]
        position, _ = await stored(sync, connection)
        assert position is not None
        assert position.endswith(":5")


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


async def test_a_push_that_is_cut_while_it_waits_for_a_page_leaves_nothing_behind(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    changes: dict[str, Any] = {"sweep_s": 600.0, "settle_s": 600.0, "push_s": 0.5}
    async with running_sync(sync_url, tmp_path, simulator, peer, **changes) as sync:
        connection = await sync.connect()
        let_go = asyncio.Event()

        async def hang() -> None:
            await let_go.wait()

        peer.meanwhile = hang
        sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
        await eventually(lambda: peer.positions)
        await eventually(lambda: is_quiet(sync))
        await eventually(lambda: "page" not in {one.get_name() for one in asyncio.all_tasks()})
        let_go.set()
