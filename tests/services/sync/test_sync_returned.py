"""After a CRM's environment was restored, a resync makes an end of rows that had gone, and of what
others had left in them; rows that never were ours stay."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.eventually import eventually
from tests.services.sync.running_sync import Sync
from tests.services.sync.simulated_crms import SimulatedCrm


async def connected(sync: Sync, **policies: str) -> str:
    return await sync.connect(modules={"organisation": sync.simulator.MAPPING | policies})


async def resynced(sync: Sync, connection: str, **counts: int) -> None:
    """After a resync all has become of the records that becomes of them."""
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
    assert answer.status_code == 200
    run = (await sync.http.post(f"{sync.path}/{connection}/runs")).json()["id"]

    async def has_run() -> bool:
        return bool((await sync.get(f"/{connection}/runs/{run}"))["ended_at"])

    await eventually(has_run)
    await sync.settled(connection, **counts)


def keys(crm: SimulatedCrm) -> dict[str, int]:
    """Each row's key and state."""
    return {row[crm.KEY]: row.get("statecode", 0) for row in crm.records()}


@pytest.mark.parametrize(
    ("policy", "left"), [("keep", {"A": 0}), ("delete", {}), ("deactivate", {"A": 1})]
)
async def test_a_vanished_records_row_that_is_there_again_is_treated_by_the_policy(
    sync: Sync, policy: str, left: dict[str, int]
) -> None:
    record = sync.peer.put("A", name="One")
    sync.peer.put("B", name="Two")
    connection = await connected(sync, deletions=policy)
    await sync.settled(connection, ok=2)
    before = sync.simulator.simulation.take_snapshot()
    sync.peer.delete(record)
    await sync.settled(connection, ok=1, removed=1)
    sync.simulator.simulation.restore(before)
    assert keys(sync.simulator) == {"A": 0, "B": 0}
    await resynced(sync, connection, ok=1, removed=1)
    await eventually(lambda: keys(sync.simulator) == {"B": 0} | left)


@pytest.mark.parametrize("policy", ["delete", "deactivate"])
async def test_also_where_it_had_another_key_then(sync: Sync, policy: str) -> None:
    record = sync.peer.put("OLD", name="One")
    connection = await connected(sync, deletions=policy)
    await sync.settled(connection, ok=1)
    before = sync.simulator.simulation.take_snapshot()
    sync.peer.put("NEW", id_=record)
    await eventually(lambda: keys(sync.simulator) == {"NEW": 0})
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    sync.simulator.simulation.restore(before)
    await resynced(sync, connection, removed=1)
    left = {} if policy == "delete" else {"OLD": 1}
    await eventually(lambda: keys(sync.simulator) == left)


async def test_a_row_with_a_vanished_records_key_that_is_not_ours_stays(sync: Sync) -> None:
    record = sync.peer.put("A", name="One")
    connection = await connected(sync, deletions="delete")
    await sync.settled(connection, ok=1)
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    make(sync.simulator, "A", name="Made by hand")
    await resynced(sync, connection, removed=1)
    assert [row["name"] for row in sync.simulator.records()] == ["Made by hand"]


def make(crm: SimulatedCrm, key: str, **values: Any) -> None:
    organisation = crm.simulation.organisation
    table = organisation.schema.tables[crm.TABLE]
    with organisation.rows.transaction():
        made = {crm.KEY: key, **values}
        organisation.rows.insert(
            table, "0f0f0f0f-0000-4000-8000-0f0f0f0f0f0f", made, {"user": None}
        )


async def test_a_record_with_the_key_of_a_row_that_is_there_again_has_its_own_values_alone(
    sync: Sync,
) -> None:
    """The row was another's, which is gone: what is empty here is empty there."""
    record = sync.peer.put("A", name="Theirs", sector="Energy")
    connection = await connected(sync, deletions="delete")
    await sync.settled(connection, ok=1)
    before = sync.simulator.simulation.take_snapshot()
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    sync.peer.put("A", headquarters="Here")
    await sync.settled(connection, ok=1, removed=1)
    sync.simulator.simulation.restore(before)
    await resynced(sync, connection, ok=1, removed=1)
    [row] = sync.simulator.records()
    crm = sync.simulator
    assert (row[crm.NAME], row[crm.SECTOR], row[crm.HEADQUARTERS]) == (None, None, "Here")


async def test_a_record_that_was_made_again_has_its_own_values_alone_in_its_first_row(
    sync: Sync,
) -> None:
    record = sync.peer.put("A", name="One", sector="Energy")
    connection = await connected(sync)
    await sync.settled(connection, ok=1)
    before = sync.simulator.simulation.take_snapshot()
    sync.simulator.lose("A")
    sync.peer.put("A", id_=record, name=None, sector="Materials")
    await eventually(lambda: "A" in keys(sync.simulator))
    await sync.settled(connection, ok=1)
    sync.simulator.simulation.restore(before)
    await resynced(sync, connection, ok=1)
    [row] = sync.simulator.records()
    assert (row[sync.simulator.NAME], row[sync.simulator.SECTOR]) == (None, "Materials")


async def test_a_row_stays_that_has_the_key_of_a_record_which_is_parked(sync: Sync) -> None:
    """It will be that record's, as soon as it can be sent."""
    crm, record = sync.simulator, sync.peer.put("A", name="One")
    connection = await connected(sync, deletions="delete")
    await sync.settled(connection, ok=1)
    before = crm.simulation.take_snapshot()
    [first] = crm.records()
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    crm.alter.change_column(crm.TABLE, crm.SECTOR, max_length=6)
    sync.peer.put("A", sector="Energy of the wind")
    await sync.settled(connection, parked=1, removed=1)
    crm.simulation.restore(before)
    await resynced(sync, connection, parked=1, removed=1)
    sync.peer.put("A", sector="Energy")
    await sync.settled(connection, ok=1, removed=1)
    [row] = crm.records()
    assert (row["accountid"], row["name"], row[crm.SECTOR]) == (first["accountid"], None, "Energy")


async def test_a_row_that_is_there_again_keeps_its_key_from_no_record_with_another_row(
    sync: Sync,
) -> None:
    crm, record = sync.simulator, sync.peer.put("X", name="One")
    other = sync.peer.put("Y", name="Two")
    connection = await connected(sync, deletions="delete")
    await sync.settled(connection, ok=2)
    before = crm.simulation.take_snapshot()
    sync.peer.delete(record)
    await sync.settled(connection, ok=1, removed=1)
    crm.simulation.restore(before)
    sync.peer.put("x", id_=other)
    await sync.settled(connection, parked=1, removed=1)
    await resynced(sync, connection, ok=1, removed=1)
    assert {row[crm.KEY]: row[crm.NAME] for row in crm.records()} == {"x": "Two"}


async def test_a_record_that_cannot_be_sent_holds_no_key_of_a_row_that_is_not_there(
    sync: Sync,
) -> None:
    crm, before = sync.simulator, sync.simulator.simulation.take_snapshot()
    sync.peer.put("TAKEN", name="Owner")
    moving = sync.peer.put("K1", name="Moving")
    connection = await connected(sync)
    await sync.settled(connection, ok=2)
    sync.peer.put("taken", id_=moving)
    await sync.settled(connection, ok=1, parked=1)
    sync.peer.put("K1", name="Waiting")
    await sync.settled(connection, ok=1, parked=2)
    crm.simulation.restore(before)
    await resynced(sync, connection, ok=2, parked=1)
    assert {row[crm.KEY]: row[crm.NAME] for row in crm.records()} == {
        "TAKEN": "Owner",
        "K1": "Waiting",
    }


async def test_two_records_never_believe_in_one_row(sync: Sync) -> None:
    """In the restored environment the younger one's key is at the older one's row, which cannot
    have its own key yet."""
    crm, older = sync.simulator, sync.peer.put("K1", name="Older")
    connection = await connected(sync)
    await sync.settled(connection, ok=1)
    before = crm.simulation.take_snapshot()
    sync.peer.put("K2", id_=older)
    await eventually(lambda: "K2" in keys(crm))
    sync.peer.put("K1", name="Younger")
    await sync.settled(connection, ok=2)
    crm.simulation.restore(before)
    make(crm, "K2", name="Made by hand")
    await resynced(sync, connection, ok=2)
    assert {row[crm.KEY]: row[crm.NAME] for row in crm.records()} == {
        "K1": "Younger",
        "K2": "Older",
    }


async def test_however_many_rows_were_left_they_are_asked_for_some_at_a_time(sync: Sync) -> None:
    connection = await connected(sync, deletions="delete")
    left = (
        "INSERT INTO left_row (connection, crm_id, module, record, same_key, columns)"
        " SELECT :of, gen_random_uuid(), 'organisation', gen_random_uuid(), 'k', '{}'"
        " FROM generate_series(1, 1200)"
    )
    async with sync.parts.db.write() as session:
        await session.run(text(left), {"of": UUID(connection)})
    await resynced(sync, connection)
    asked = [one for one in sync.simulator.requests() if b"PropertyName='accountid'" in one.body]
    assert [one.body.count(b"GET ") for one in asked] == [5, 5, 2]
    async with sync.parts.db.read() as session:
        assert not await session.scalar(
            text("SELECT count(*) FROM left_row WHERE look_at <= now()")
        )
