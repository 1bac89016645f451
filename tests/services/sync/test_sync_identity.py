"""One record, one row: what is known of a CRM's row is kept under its identity there."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import new_id
from kit.db import Database
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


def mapping(sync: Sync, **policies: str) -> dict[str, Any]:
    """A connection's modules with these policies."""
    return {"modules": {"organisation": sync.simulator.MAPPING | policies}}


def by_age(count: int) -> list[UUID]:
    """Ids of records, the oldest first."""
    return sorted(new_id() for _ in range(count))


_THEM = {"user": None, "behalf": None}


async def outcome(sync: Sync, connection: str, key: str) -> dict[str, Any]:
    found = (await sync.get(f"/{connection}/outcomes"))["outcomes"]
    return next(one for one in found if one["key"] == key)


async def arrived(sync: Sync, key: str, **values: object) -> None:
    """Wait until the row of the CRM with this key has these values."""

    async def has() -> bool:
        row = sync.simulator.by_key().get(key, {})
        return all(row.get(name) == value for name, value in values.items()) and key in row.values()

    try:
        await eventually(has)
    except AssertionError:
        raise AssertionError(f"{sync.simulator.records()}") from None


@pytest.mark.parametrize(
    ("older", "younger"),
    [("kq-1", "KQ-1"), ("Muller", "MÜLLER"), ("Strasse", "Straße"), ("cafe\u0301", "Café")],
)
async def test_keys_that_are_one_in_the_crm_make_one_row_and_the_older_record_has_it(
    sync: Sync, older: str, younger: str
) -> None:
    first, loser = by_age(2)
    sync.peer.put(older, id_=first, name="Older")
    sync.peer.put(younger, id_=loser, name="Younger")
    connection = await sync.connect()
    await sync.settled(connection, ok=1, parked=1)
    assert [row["name"] for row in sync.simulator.records()] == ["Older"]
    assert (await outcome(sync, connection, younger))["reason"].startswith("another record has")
    sync.peer.put(younger, sector="Energy")
    await sync.settled(connection, ok=1, parked=1)
    assert [row["name"] for row in sync.simulator.records()] == ["Older"]
    sync.peer.put("apart", id_=loser, name="Younger")
    await sync.settled(connection, ok=2)
    assert {row["name"] for row in sync.simulator.records()} == {"Older", "Younger"}


async def test_the_owner_of_a_key_stays_its_owner_after_a_restart(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    old, young = by_age(2)
    peer.put("later", id_=old, name="Old")
    peer.put("KQ-1", id_=young, name="Owner")
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=2)
        peer.put("kq-1", id_=old, name="Old")  # the older record, and too late
        await sync.settled(connection, ok=1, parked=1)
    async with running_sync(sync_url, tmp_path, simulator, peer) as again:
        await again.http.post(f"{again.path}/{connection}/retry")
        peer.put("KQ-1", sector="Energy")
        await arrived(again, "KQ-1", name="Owner")
        await again.settled(connection, ok=1, parked=1)
    assert simulator.by_key()["KQ-1"]["name"] == "Owner"


async def test_when_the_owner_goes_whoever_waited_takes_its_row_over(sync: Sync) -> None:
    first, second = by_age(2)
    sync.peer.put("A", id_=first, name="First", sector="Energy", headquarters="Bern")
    sync.peer.put("a", id_=second, name="Second", sector=None)
    connection = await sync.connect()
    await sync.settled(connection, ok=1, parked=1)
    sync.peer.delete(first)
    await sync.settled(connection, ok=1, removed=1)
    await arrived(sync, "a", name="Second")
    [row] = sync.simulator.records()
    assert row.get(sync.simulator.SECTOR) is None
    assert row.get(sync.simulator.HEADQUARTERS) is None


async def test_whoever_waits_for_a_key_has_it_once_its_owner_has_another(sync: Sync) -> None:
    old, young = by_age(2)
    sync.peer.put("later", id_=old, name="Waits")
    sync.peer.put("A", id_=young, name="Owner")
    connection = await sync.connect()
    await sync.settled(connection, ok=2)
    sync.peer.put("a", id_=old, name="Waits")
    await sync.settled(connection, ok=1, parked=1)
    sync.peer.put("B", id_=young, name="Owner")
    await sync.settled(connection, ok=2)
    assert {key: row["name"] for key, row in sync.simulator.by_key().items()} == {
        "a": "Waits",
        "B": "Owner",
    }


async def test_whoever_waits_for_a_key_has_it_once_an_older_record_without_a_row_leaves_it(
    sync: Sync,
) -> None:
    old, young = by_age(2)
    sync.peer.put("A", id_=old, name="x" * 300)  # longer than its column: it has no row
    sync.peer.put("a", id_=young, name="Waits")
    connection = await sync.connect()
    await sync.settled(connection, parked=2)
    sync.peer.put("B", id_=old)
    await sync.settled(connection, ok=1, parked=1)
    assert [row["name"] for row in sync.simulator.records()] == ["Waits"]


async def test_a_row_whose_id_is_not_known_goes_by_its_key(sync: Sync, sync_url: str) -> None:
    """A version before this one kept no ids."""
    records = [sync.peer.put(key, name="One") for key in ("A", "B", "C")]
    connection = await sync.connect(**mapping(sync, deletions="delete"))
    await sync.settled(connection, ok=3)
    db = Database(sync_url)
    async with db.write() as session:
        await session.run(text("UPDATE outgoing SET crm_id = NULL"))
    await db.close()
    sync.simulator.lose("B")
    for record in records[:2]:
        sync.peer.delete(record)
    await sync.settled(connection, ok=1, removed=2)
    assert sync.simulator.by_key().keys() == {"C"}


async def test_a_record_that_is_made_again_wears_none_of_the_old_ones_values(sync: Sync) -> None:
    old = sync.peer.put("A", name="Old", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.peer.delete(old)
    await sync.settled(connection, removed=1)
    sync.peer.put("A", name="New", sector=None)
    await sync.settled(connection, ok=1, removed=1)
    [row] = sync.simulator.records()
    assert (row["name"], row.get(sync.simulator.SECTOR)) == ("New", None)


async def test_a_changed_key_changes_the_same_row(sync: Sync) -> None:
    record = sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    [before] = sync.simulator.records()
    for key in ("B", "b", "C"):
        sync.peer.put(key, id_=record, name="One")
        await arrived(sync, key, name="One")
    await sync.settled(connection, ok=1)
    [after] = sync.simulator.records()
    assert after["accountid"] == before["accountid"]
    assert after[sync.simulator.SECTOR] == "Energy"


async def test_a_key_that_another_row_of_the_crm_has_is_not_taken_from_it(sync: Sync) -> None:
    sync.peer.put("A", name="One")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    rows = sync.simulator.simulation.organisation.rows
    table = sync.simulator.simulation.organisation.schema.tables[sync.simulator.TABLE]
    with rows.transaction():
        theirs = "99999999-9999-4999-8999-999999999999"
        rows.insert(table, theirs, {"name": "Theirs", sync.simulator.KEY: "B"}, _THEM)
    record = next(iter(sync.peer.records))
    sync.peer.put("B", id_=record, name="One")
    await sync.settled(connection, parked=1)
    assert (await outcome(sync, connection, "B"))["reason"] == "another row of the CRM has this key"
    assert sync.simulator.by_key()["B"]["name"] == "Theirs"


async def test_a_record_of_which_all_chosen_fields_are_empty_is_not_counted_as_there(
    sync: Sync,
) -> None:
    sync.peer.put("A", name=None, sector=None)
    sync.peer.put("B", name="One")
    connection = await sync.connect()
    await sync.settled(connection, ok=1, empty=1)
    assert len(sync.simulator.records()) == 1
    sync.peer.put("A", name="Two")
    await sync.settled(connection, ok=2)


async def test_a_record_with_nothing_to_send_keeps_its_key_from_nobody(sync: Sync) -> None:
    older, younger = by_age(2)
    sync.peer.put("kq-1", id_=older, name=None)
    sync.peer.put("KQ-1", id_=younger, name="Younger")
    connection = await sync.connect()
    await sync.settled(connection, ok=1, empty=1)
    assert sync.simulator.by_key()["KQ-1"]["name"] == "Younger"
    sync.peer.put("kq-1", id_=older, name="Older")  # too late: the row has an owner
    await sync.settled(connection, ok=1, parked=1)
    assert [row["name"] for row in sync.simulator.records()] == ["Younger"]


async def test_rows_of_the_version_before_go_on_and_the_older_of_two_has_the_row(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    older, younger, other = by_age(3)
    peer.put("kq-1", id_=older, name="Older")
    peer.put("other", id_=other, name="Other")
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=2)
    peer.put("KQ-1", id_=younger, name="Younger")
    db = Database(sync_url)
    async with db.write() as session:
        await session.run(
            text("UPDATE outgoing SET same_key = NULL, crm_key = NULL, crm_id = NULL")
        )
        twin = (
            "INSERT INTO outgoing (connection, record, module, key, state, sent)"
            " SELECT connection, :record, module, 'KQ-1', 'ok', sent FROM outgoing"
            " WHERE key = 'kq-1'"
        )
        await session.run(text(twin), {"record": younger})
    calls = len(simulator.requests("$batch"))
    async with running_sync(sync_url, tmp_path, simulator, peer) as again:
        await again.settled(connection, ok=2, parked=1)
        assert len(simulator.requests("$batch")) == calls
        peer.put("other", sector="Energy")
        await arrived(again, "other", **{simulator.SECTOR: "Energy"})
        assert again.sent()[-1][1] == {"name": "Other", simulator.SECTOR: "Energy"}
        await again.settled(connection, ok=2, parked=1)
    await db.close()
    assert simulator.by_key()["kq-1"]["name"] == "Older"


async def test_who_is_parked_and_woken_in_one_step_is_not_told_of(sync: Sync) -> None:
    """Whoever had the key goes while the other one is looked at."""
    record = sync.peer.put("kq-1", name="First")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await sync.http.post(f"{sync.path}/{connection}/pause")
    sync.peer.delete(record)
    sync.peer.put("KQ-1", name="Second")
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await sync.settled(connection, ok=1, removed=1)
    async with sync.parts.db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM announced")) == 0
    assert {run["parked"] for run in (await sync.get(f"/{connection}/runs"))["runs"]} == {0}
