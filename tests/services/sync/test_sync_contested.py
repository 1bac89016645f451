"""Keys that are given up, taken over, or never were anybody's: no push is lost over them."""

from typing import Any
from uuid import UUID

import pytest

from contracts.ids import new_id
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync

_THEM = {"user": None, "behalf": None}


def by_age(count: int) -> list[UUID]:
    """Ids of records, the oldest first."""
    return sorted(new_id() for _ in range(count))


def policy(sync: Sync, deletions: str) -> dict[str, Any]:
    return {"organisation": sync.simulator.MAPPING | {"deletions": deletions}}


def theirs(sync: Sync, key: str) -> None:
    """A row that the customer has made."""
    rows = sync.simulator.simulation.organisation.rows
    table = sync.simulator.simulation.organisation.schema.tables[sync.simulator.TABLE]
    with rows.transaction():
        values = {"name": "Theirs", sync.simulator.KEY: key}
        rows.insert(table, "99999999-9999-4999-8999-999999999999", values, _THEM)


async def named(sync: Sync, **names: str) -> None:
    """Wait until the CRM has these rows, names by key, and no other."""

    def has() -> bool:
        return {key: row["name"] for key, row in sync.simulator.by_key().items()} == names

    try:
        await eventually(has)
    except AssertionError:
        raise AssertionError(f"{sync.simulator.records()}") from None


@pytest.mark.parametrize("deletions", ["keep", "deactivate"])
async def test_a_key_whose_kept_row_the_customer_has_deleted_is_free_for_a_record_that_has_a_row(
    sync: Sync, deletions: str
) -> None:
    stays, goes = by_age(2)
    sync.peer.put("A", id_=stays, name="Stays")
    sync.peer.put("B", id_=goes, name="Goes")
    connection = await sync.connect(modules=policy(sync, deletions))
    await sync.settled(connection, ok=2)
    sync.peer.delete(goes)
    await sync.settled(connection, ok=1, removed=1)
    sync.simulator.lose("B")
    sync.peer.put("B", id_=stays, name="Stays")
    await named(sync, B="Stays")
    await sync.settled(connection, ok=1, removed=1)


async def test_a_row_that_was_never_accepted_is_not_ours_to_delete(sync: Sync) -> None:
    theirs(sync, "A")
    record = sync.peer.put("A", name="x" * 300)
    connection = await sync.connect(modules=policy(sync, "delete"))
    sync.simulator.add_fault(
        kind="refuse_row", table=sync.simulator.TABLE, times=None, status=400, code="0x80040265"
    )
    sync.peer.put("A", name="Ours")
    await sync.settled(connection, parked=1)
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    await named(sync, A="Theirs")


async def test_a_key_that_changes_before_its_first_answer_leaves_no_row_behind(sync: Sync) -> None:
    sync.simulator.add_fault(kind="lost_reply", path=sync.simulator.BATCH)
    record = sync.peer.put("A", name="One")
    connection = await sync.connect()
    await eventually(lambda: len(sync.batches()) == 1)
    await sync.http.post(f"{sync.path}/{connection}/pause")
    sync.peer.put("B", id_=record, name="One")
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await named(sync, B="One")
    await sync.settled(connection, ok=1)


@pytest.mark.parametrize("count", [2, 3])
async def test_records_that_exchange_their_keys_exchange_them_in_the_crm(
    sync: Sync, count: int
) -> None:
    records, keys = by_age(count), ["A", "B", "C"][:count]
    for record, key in zip(records, keys, strict=True):
        sync.peer.put(key, id_=record, name=f"First {key}")
    connection = await sync.connect()
    await sync.settled(connection, ok=count)
    ids = {row["name"]: row["accountid"] for row in sync.simulator.records()}
    await sync.http.post(f"{sync.path}/{connection}/pause")
    for record, key in zip(records, [*keys[1:], keys[0]], strict=True):
        sync.peer.put(key, id_=record)
    await sync.http.post(f"{sync.path}/{connection}/resume")
    turned = {new: f"First {old}" for old, new in zip(keys, [*keys[1:], keys[0]], strict=True)}
    await named(sync, **turned)
    await sync.settled(connection, ok=count)
    assert {row["name"]: row["accountid"] for row in sync.simulator.records()} == ids


@pytest.mark.parametrize("missing", ["park", "forget"])
async def test_what_becomes_of_rows_that_are_gone_is_no_matter_for_a_new_record(
    sync: Sync, missing: str
) -> None:
    """The customer has cleared away the row of a record that was deleted here, not this one's."""
    old = sync.peer.put("A", name="Old")
    connection = await sync.connect(missing=missing)
    await sync.settled(connection, ok=1)
    sync.peer.delete(old)
    await sync.settled(connection, removed=1)
    sync.simulator.lose("A")
    sync.peer.put("A", name="New")
    await named(sync, A="New")
    await sync.settled(connection, ok=1, removed=1)
