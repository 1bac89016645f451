"""Many rows in one call, where the table has actions for it: all or none, each told of."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.sync.crm.dataverse.operations import FIND_BATCH
from tests.eventually import eventually
from tests.services.sync.held_egress import HeldEgress
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import LIMITS, Sync, injected_name, running_sync
from tests.services.sync.simulated_crms import HOST, IN_BULK, SimulatedCrm


@pytest.fixture
async def simulator(kind: str) -> AsyncIterator[SimulatedCrm]:
    async with IN_BULK[kind](host=HOST) as running:
        yield running


def calls(sync: Sync, part: str) -> int:
    return len(sync.simulator.requests(part))


async def test_a_first_load_goes_in_bulk_and_counts_when_the_ids_were_read(sync: Sync) -> None:
    sync.peer.fill(400)
    connection = await sync.connect()
    await sync.settled(connection, ok=400)
    assert len(sync.simulator.records()) == len(sync.sent()) == 400
    sizes = [len(rows) for rows in sync.batches()]
    assert sizes[0] == 50
    assert max(sizes) >= 100  # more, while all are accepted
    assert calls(sync, "UpsertMultiple") == len(sizes) == calls(sync, "$batch")
    sync.peer.fill(400)
    for number in range(100):
        sync.peer.put(f"K{number}", name=f"Renamed {number}")
    await eventually(lambda: len(sync.sent()) == 500)
    await sync.settled(connection, ok=400)
    assert calls(sync, "UpdateMultiple") >= 1
    columns = {name for _, body in sync.sent()[400:] for name in body}
    assert columns == {sync.simulator.NAME, "accountid"}


async def test_one_bad_row_of_a_large_batch_costs_few_calls(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """As many as the halves of its size, and not as many as there are rows."""
    peer.fill(500)
    peer.put("BAD", name="x" * 300)
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=512) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=500, parked=1)
        assert len(sync.batches()) <= 2 * 9 + 2
        assert len(simulator.records()) == 500


async def test_rows_that_were_deleted_there_are_found_out_and_made_whole_again(sync: Sync) -> None:
    sync.peer.fill(40)
    connection = await sync.connect()
    await sync.settled(connection, ok=40)
    sync.simulator.lose("K3", "K30")
    for number in range(40):
        sync.peer.put(f"K{number}", sector="Materials")
    await eventually(
        lambda: (
            [row.get(sync.simulator.SECTOR) for row in sync.simulator.records()]
            == ["Materials"] * 40
        )
    )
    await sync.settled(connection, ok=40)
    assert sync.simulator.by_key()["K3"]["name"] == "Name 3"


async def test_an_action_that_is_gone_is_done_without(sync: Sync) -> None:
    """The customer's table may lose its bulk actions while its description is still believed."""
    sync.peer.fill(20)
    connection = await sync.connect()
    await sync.settled(connection, ok=20)
    schema = sync.simulator.simulation.organisation.schema
    schema.put(replace(schema.tables[sync.simulator.TABLE], bulk_actions=frozenset()))
    for number in range(20):
        sync.peer.put(f"K{number}", sector="Materials")
    await eventually(
        lambda: (
            {row.get(sync.simulator.SECTOR) for row in sync.simulator.records()} == {"Materials"}
        )
    )
    await sync.settled(connection, ok=20)
    for number in range(20, 40):
        sync.peer.put(f"K{number}", name="One")
    await sync.settled(connection, ok=40)
    assert (await sync.get(f"/{connection}"))["state"] == "active"


async def test_a_new_row_counts_only_when_the_crm_shows_its_id(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    held = HeldEgress.injecting(injected_name(simulator), limits=LIMITS)
    held.holds = FIND_BATCH.name
    peer.fill(20)
    async with running_sync(sync_url, tmp_path, simulator, peer, egress=held) as sync:
        connection = await sync.connect()
        await eventually(held.held.is_set)
        simulator.lose("K3", "K4")
        held.let_go.set()
        await sync.settled(connection, ok=20)
    assert len(simulator.records()) == 20


async def test_ids_are_told_apart_by_the_key_as_the_crm_compares_it(sync: Sync) -> None:
    """A row that was there before keeps its own way of writing the key."""
    rows = sync.simulator.simulation.organisation.rows
    table = sync.simulator.simulation.organisation.schema.tables[sync.simulator.TABLE]
    theirs = "99999999-9999-4999-8999-999999999999"
    with rows.transaction():
        rows.insert(table, theirs, {"name": "Was", sync.simulator.KEY: "k3"}, {"user": None})
    sync.peer.fill(20)
    connection = await sync.connect()
    await sync.settled(connection, ok=20)
    ids = {row["name"]: row["accountid"] for row in sync.simulator.records()}
    assert len(ids) == 20
    assert ids["Name 3"] == theirs
    async with sync.parts.db.read() as session:
        found = await session.all(text("SELECT key, crm_id FROM outgoing"))
    assert {row["key"].replace("K", "Name "): row["crm_id"] for row in found} == ids


async def test_one_row_at_which_the_crm_fails_keeps_the_others_for_a_few_calls_only(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(40)
    simulator.add_fault(
        kind="refuse_row",
        table=simulator.TABLE,
        column="name",
        value="Name 7",
        status=500,
        code="0x80040216",
        times=None,
    )
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=3) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(simulator.records()) == 39)
        peer.put("K1", sector="Materials")  # so that the one is not alone
        peer.put("K2", sector="Materials")
        await eventually(lambda: simulator.by_key()["K2"].get(simulator.SECTOR) == "Materials")

        async def all_others_are_settled() -> bool:
            outcomes = (await sync.get(f"/{connection}"))["outcomes"]
            return bool(outcomes.get("ok") == 39)

        await eventually(all_others_are_settled)


async def test_rows_that_are_never_shown_wait_for_themselves_and_say_why(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Whoever may write a row need not be able to read it; a whole batch of them holds nobody."""
    where = {"table": simulator.TABLE, "column": simulator.SECTOR, "value": "Hidden"}
    fault = simulator.add_fault(kind="hide_row", times=None, **where)
    for number in range(20):
        peer.put(f"H{number}", name="Hidden", sector="Hidden")
    for number in range(20):
        peer.put(f"K{number}", name="Seen", sector="Energy")
    small: dict[str, Any] = {"batch_rows": 10, "max_attempts": 3}
    async with running_sync(sync_url, tmp_path, simulator, peer, **small) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=20, parked=20)
        rows = (await sync.get(f"/{connection}/outcomes?state=parked"))["outcomes"]
        assert {row["code"] for row in rows} == {"not-shown"}
        runs = (await sync.get(f"/{connection}/runs"))["runs"]
        assert "stopped" not in {run["state"] for run in runs}
        simulator.simulation.organisation.faults.remove(fault.id)
        await sync.http.post(f"{sync.path}/{connection}/retry", json={"code": "not-shown"})
        await sync.settled(connection, ok=40)
        assert len(simulator.records()) == 40


async def test_rows_that_are_all_gone_are_found_out_at_once_by_a_resync(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """By one look for each batch, and not by halving each batch down to its rows."""
    peer.fill(256)
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=64) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=256)
        simulator.lose(*(f"K{number}" for number in range(200)))
        before = calls(sync, "/api/data/")
        answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
        assert answer.json() == {"resynced": 256}
        await eventually(lambda: len(simulator.records()) == 256)
        await sync.settled(connection, ok=256)
        # looks, the rows that are there, the rows that are made, and the reading of their ids
        assert calls(sync, "/api/data/") - before <= 4 + 4 + 2 * 4
        assert len({row["accountid"] for row in simulator.records()}) == 256
