"""What becomes of rows whose record, choice or CRM row is gone: as the policies say, never more."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


def mapping(sync: Sync, **policies: str) -> dict[str, Any]:
    """The modules of a connection with these policies."""
    return {"modules": {"organisation": sync.simulator.MAPPING | policies}}


@pytest.mark.parametrize(
    ("missing", "counts", "rows"),
    [("recreate", {"ok": 1}, 1), ("park", {"parked": 1}, 0), ("forget", {"removed": 1}, 0)],
)
async def test_a_row_that_was_deleted_there_is_seen_and_never_comes_back_as_a_fragment(
    sync: Sync, missing: str, counts: dict[str, int], rows: int
) -> None:
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(missing=missing)
    await sync.settled(connection, ok=1)
    sync.simulator.lose("A")
    calls = len(sync.batches())
    sync.peer.put("A", sector="Materials")
    await eventually(lambda: len(sync.batches()) > calls)
    await sync.settled(connection, **counts)
    assert len(sync.simulator.records()) == rows
    for row in sync.simulator.records():
        assert (row["name"], row[sync.simulator.SECTOR]) == ("One", "Materials")


@pytest.mark.parametrize(("policy", "rows"), [("keep", [0]), ("delete", []), ("deactivate", [1])])
async def test_what_becomes_of_a_deleted_records_row_is_the_modules_policy(
    sync: Sync, policy: str, rows: list[int]
) -> None:
    record = sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(**mapping(sync, deletions=policy))
    await sync.settled(connection, ok=1)
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    assert [row.get("statecode", 0) for row in sync.simulator.records()] == rows
    sync.peer.put("A", name="Again", sector=None)
    await sync.settled(connection, ok=1, removed=1)
    [row] = sync.simulator.records()
    assert row.get("statecode", 0) == 0
    assert (row["name"], row.get(sync.simulator.SECTOR)) == ("Again", None)


async def test_no_row_is_deleted_because_its_module_was_withdrawn(sync: Sync) -> None:
    sync.peer.fill(3)
    connection = await sync.connect(**mapping(sync, deletions="delete"))
    await sync.settled(connection, ok=3)
    sync.peer.choice = {}
    await sync.settled(connection, removed=3)
    assert len(sync.simulator.records()) == 3


async def test_who_was_deleted_while_the_module_was_withdrawn_goes_when_it_is_chosen_again(
    sync: Sync,
) -> None:
    sync.peer.fill(3)
    gone = next(iter(sync.peer.records))
    connection = await sync.connect(**mapping(sync, deletions="delete"))
    await sync.settled(connection, ok=3)
    chosen, sync.peer.choice = sync.peer.choice, {}
    await sync.settled(connection, removed=3)
    rows = (await sync.get(f"/{connection}/outcomes"))["outcomes"]
    assert {row["code"] for row in rows} == {"not-chosen"}
    sync.peer.delete(gone)
    sync.peer.choice = chosen
    await sync.settled(connection, ok=2, removed=1)
    assert len(sync.simulator.records()) == 2


async def test_a_policy_holds_for_deletions_that_were_not_carried_out_before(sync: Sync) -> None:
    """What was kept stays; what was waiting goes as it says by then."""
    kept, waits = sync.peer.put("A", name="One"), sync.peer.put("B", name="Two")
    connection = await sync.connect()
    await sync.settled(connection, ok=2)
    sync.peer.delete(kept)
    await sync.settled(connection, ok=1, removed=1)
    await sync.http.post(f"{sync.path}/{connection}/pause")
    sync.peer.delete(waits)
    body = mapping(sync, deletions="delete")
    assert (await sync.http.patch(f"{sync.path}/{connection}", json=body)).status_code == 200
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await sync.settled(connection, removed=2)
    assert [row[sync.simulator.KEY] for row in sync.simulator.records()] == ["A"]


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_row_of_a_record_whose_key_changed_before_it_was_deleted_goes(
    sync: Sync, is_known: bool
) -> None:
    """Also where the answer that told its id was lost."""
    if not is_known:
        sync.simulator.add_fault(kind="lost_reply", path=sync.simulator.BATCH)
    record = sync.peer.put("A", name="One")
    connection = await sync.connect(**mapping(sync, deletions="delete"))
    await eventually(sync.simulator.records)
    if is_known:
        await sync.settled(connection, ok=1)
    await sync.http.post(f"{sync.path}/{connection}/pause")
    sync.peer.put("B", id_=record, name="One")
    sync.peer.delete(record)
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await sync.settled(connection, removed=1)
    assert sync.simulator.records() == []


async def test_a_deletion_whose_answer_was_lost_never_takes_a_strangers_row(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """The CRM's id was not known; somebody makes a row of the same key there meanwhile."""
    record = peer.put("A", name="Ours")
    async with running_sync(sync_url, tmp_path, simulator, peer, backoff_s=600.0) as sync:
        connection = await sync.connect(**mapping(sync, deletions="delete"))
        await sync.settled(connection, ok=1)
        async with sync.parts.db.write() as session:
            await session.run(text("UPDATE outgoing SET crm_id = NULL"))
        simulator.add_fault(kind="lost_reply", path=simulator.BATCH, text="DELETE ")
        peer.delete(record)
        await sync.settled(connection, retry=1)
        assert simulator.records() == []
        simulator.make(A="Theirs")
        async with sync.parts.db.write() as session:
            await session.run(text("UPDATE outgoing SET not_before = now()"))
        await sync.settled(connection, removed=1)
        assert [row["name"] for row in simulator.records()] == ["Theirs"]


async def test_a_withdrawn_field_is_cleared_where_the_module_says_so(sync: Sync) -> None:
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(**mapping(sync, withdrawn="clear"))
    await sync.settled(connection, ok=1)
    sync.peer.choice = {"organisation": ["name"]}
    await eventually(lambda: sync.simulator.records()[0].get(sync.simulator.SECTOR) is None)
    await sync.settled(connection, ok=1)
    assert sync.simulator.records()[0]["name"] == "One"


@pytest.mark.parametrize("missing", ["recreate", "park", "forget"])
async def test_a_resync_makes_a_row_again_whatever_was_decided_when_it_was_missed(
    sync: Sync, missing: str
) -> None:
    """The environment was restored, and something was pushed before its owner asked for all."""
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(missing=missing)
    await sync.settled(connection, ok=1)
    sync.simulator.lose("A")
    calls = len(sync.batches())
    sync.peer.put("A", sector="Materials")
    await eventually(lambda: len(sync.batches()) > calls)
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
    assert answer.status_code == 200
    await eventually(lambda: "A" in sync.simulator.by_key())
    row = sync.simulator.by_key()["A"]
    assert (row["name"], row[sync.simulator.SECTOR]) == ("One", "Materials")
    await sync.settled(connection, ok=1)


async def sent_in_vain(sync: Sync) -> None:
    """Wait until something has left, which the CRM does not take."""
    before = len(sync.batches())
    await eventually(lambda: len(sync.batches()) > before)


async def withdrawn_in_flight(sync: Sync) -> str:
    """A row that left and was never told of, of which nothing is chosen any more."""
    sync.simulator.add_fault(kind="status", status=503, path="$batch", times=500)
    sync.peer.put("A", name="One")
    connection = await sync.connect()
    await sent_in_vain(sync)
    sync.peer.choice = {"organisation": ["sector"]}
    sync.simulator.simulation.organisation.faults.clear()
    return connection


async def test_a_row_that_perhaps_never_arrived_is_looked_for_before_it_counts(sync: Sync) -> None:
    connection = await withdrawn_in_flight(sync)
    await sync.settled(connection, empty=1)
    assert not sync.simulator.records()


async def test_a_question_for_rows_that_is_refused_as_a_whole_is_asked_again(sync: Sync) -> None:
    """It has no rows that could be sent apart."""
    connection = await withdrawn_in_flight(sync)
    sync.simulator.add_fault(kind="status", status=413, path="$batch", times=2)
    await sync.settled(connection, empty=1)
    runs = (await sync.get(f"/{connection}/runs"))["runs"]
    assert "failed" not in {run["state"] for run in runs}


async def test_who_cannot_be_sent_holds_the_key_of_no_row_that_never_arrived(sync: Sync) -> None:
    crm = sync.simulator
    sync.peer.put("TAKEN", name="Owner")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    crm.add_fault(kind="status", status=503, path="$batch", times=500)
    moving = sync.peer.put("K1", name="Moving")
    await sent_in_vain(sync)
    sync.peer.put("taken", id_=moving)
    sync.peer.put("K1", name="Waiting")
    crm.simulation.organisation.faults.clear()
    await sync.settled(connection, ok=2, parked=1)
    rows = {row[crm.KEY]: row[crm.NAME] for row in crm.records()}
    assert rows == {"TAKEN": "Owner", "K1": "Waiting"}
