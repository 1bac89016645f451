"""What is decided at the same time as something else: nothing of either is lost or brought back."""

import asyncio
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from contracts.ids import ConnectionId
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet


async def test_a_batch_that_a_change_of_key_column_overtakes_brings_no_old_row_back(
    sync: Sync,
) -> None:
    """Its record would be a changed row of before, and not a row by the new key column."""
    sync.peer.put("A", name="One")
    connection = await sync.connect(missing="park")
    await sync.settled(connection, ok=1)
    sync.simulator.switches.latency_s = 1.0
    sent = len(sync.batches())
    sync.peer.put("A", name="Two")
    await eventually(lambda: len(sync.batches()) == sent + 1)
    sync.simulator.switches.latency_s = 0.0
    mapping = sync.simulator.MAPPING | {"key_attribute": sync.simulator.another_key(1)}
    changed = await sync.http.patch(
        f"{sync.path}/{connection}", json={"modules": {"organisation": mapping}}
    )
    assert changed.status_code == 200, changed.text
    await eventually(lambda: len(sync.simulator.records()) == 2)
    await sync.settled(connection, ok=1)
    columns = (sync.simulator.KEY, sync.simulator.another_key(1))
    keys = [tuple(row.get(column) for column in columns) for row in sync.simulator.records()]
    assert sorted(keys, key=str) == [("A", None), (None, "A")]


async def test_of_two_changes_at_once_neither_undoes_the_other(sync: Sync) -> None:
    connection = await sync.connect()
    sync.simulator.switches.latency_s = 0.5
    path = f"{sync.path}/{connection}"
    mapping = sync.simulator.MAPPING | {"deletions": "delete"}
    looks = len(sync.simulator.requests(sync.simulator.LOOK))
    slow = asyncio.create_task(sync.http.patch(path, json={"modules": {"organisation": mapping}}))
    await eventually(lambda: len(sync.simulator.requests(sync.simulator.LOOK)) > looks)
    quick = await sync.http.patch(path, json={"name": "Renamed", "missing": "park"})
    assert (quick.status_code, (await slow).status_code) == (200, 200)
    body = await sync.get(f"/{connection}")
    assert (body["name"], body["missing"]) == ("Renamed", "park")
    assert body["modules"]["organisation"]["deletions"] == "delete"


async def test_batches_that_are_settled_at_once_after_a_wait_do_not_stand_in_each_others_way(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Each of them has read the connection's row, and would write that the CRM answers again."""
    simulator.switches.dop_hint = 4
    peer.put("FIRST", name="tells the hint")
    async with running_sync(
        sync_url, tmp_path, simulator, peer, batch_rows=5, sweep_s=600.0
    ) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=1)
        await eventually(lambda: is_quiet(sync))
        peer.fill(20)
        async with sync.parts.db.write() as session:
            await session.run(text("UPDATE connection SET failures = 1, retry_at = now()"))
        simulator.switches.latency_s = 1.0
        sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
        await eventually(lambda: len(sync.batches()) == 5)
        async with sync.parts.db.write() as session:
            await session.run(text("SELECT FROM outgoing FOR UPDATE"))
            await eventually(lambda: waiting(sync, 4))
        await sync.settled(connection, ok=21)
        await eventually(lambda: is_quiet(sync))
        runs = (await sync.get(f"/{connection}/runs"))["runs"]
        assert {run["state"] for run in runs} == {"done"}
        assert len(sync.batches()) == 5


async def waiting(sync: Sync, count: int) -> bool:
    """Whether so many transactions wait for another one."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    of_this = " AND datname = current_database()"
    async with sync.parts.db.read() as session:
        return int(await session.scalar(text(query + of_this))) >= count
