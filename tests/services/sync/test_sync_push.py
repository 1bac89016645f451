"""The push: everything arrives once, only what changed goes again, one bad row stops no other."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from contracts.events import (
    DatabaseSwapped,
    FieldChoiceChanged,
    JournalAdvanced,
    TenantSuspended,
)
from contracts.ids import new_id
from kit.db import Database
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


async def test_everything_arrives_once_and_only_chosen_fields_leave(sync: Sync) -> None:
    sync.peer.fill(120)
    connection = await sync.connect()
    await sync.settled(connection, ok=120)
    assert len(sync.simulator.records()) == 120
    assert len(sync.sent()) == 120
    assert {name for _, body in sync.sent() for name in body} == {
        sync.simulator.NAME,
        sync.simulator.SECTOR,
    }
    for request in sync.simulator.requests():
        assert b"SECRET" not in request.body
        assert b"FOUNDED" not in request.body  # digits could stand in a batch's own name
    assert all(f"{sync.simulator.KEY}='K" in url for url, _ in sync.sent())


async def test_only_changed_fields_of_changed_rows_go_again(sync: Sync) -> None:
    sync.peer.fill(20)
    connection = await sync.connect()
    await sync.settled(connection, ok=20)
    before = len(sync.sent())
    sync.peer.put("K3", sector="Materials")
    sync.peer.put("K4", cik="ANOTHER")  # not chosen: nothing to send
    await sync.tell(JournalAdvanced(tenant=sync.tenant))
    await eventually(lambda: len(sync.sent()) > before)
    await sync.settled(connection, ok=20)
    again = sync.sent()[before:]
    assert [body for _, body in again] == [{sync.simulator.SECTOR: "Materials"}]


async def test_many_changes_of_one_record_are_one_row(sync: Sync) -> None:
    for number in range(30):
        sync.peer.put("ONE", name=f"Version {number}")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    assert [body for _, body in sync.sent()] == [{"name": "Version 29"}]


async def test_clearing_a_field_reaches_the_crm_but_an_empty_one_clears_nothing(
    sync: Sync,
) -> None:
    sync.peer.put("ONE", name="A", sector="Energy", headquarters=None)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.peer.put("ONE", sector=None)
    await eventually(lambda: len(sync.sent()) == 2)
    assert [body for _, body in sync.sent()] == [
        {sync.simulator.NAME: "A", sync.simulator.SECTOR: "Energy"},
        {sync.simulator.SECTOR: None},
    ]


async def test_one_refused_row_is_parked_with_the_reason_and_stops_no_other(
    sync: Sync, sync_url: str
) -> None:
    sync.peer.fill(9)
    sync.peer.put("BAD", name="x" * 200, sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=9, parked=1)
    parked = (await sync.get(f"/{connection}/outcomes?state=parked"))["outcomes"]
    assert [one["key"] for one in parked] == ["BAD"]
    reason = "column 'name': the value has more than 160 UTF-16 units"
    assert (parked[0]["reason"], parked[0]["detail"]) == (reason, "")
    db = Database(sync_url)
    async with db.read() as session:
        stored = await session.all(text("SELECT o.*::text AS shown FROM outgoing o"))
    await db.close()
    assert not any("Energy" in row["shown"] or "Name 1" in row["shown"] for row in stored)

    calls = len(sync.sent())
    assert calls == 9  # what the column does not take never leaves
    sync.peer.put("BAD", name="short enough")
    await sync.settled(connection, ok=10)
    assert len(sync.sent()) == calls + 1


async def test_parked_rows_get_another_chance_when_asked(sync: Sync) -> None:
    sync.simulator.add_fault(
        kind="refuse_row", table=sync.simulator.TABLE, message="Not on a Friday."
    )
    sync.peer.put("ONE", name="A")
    connection = await sync.connect()
    await sync.settled(connection, parked=1)
    parked = (await sync.get(f"/{connection}/outcomes"))["outcomes"][0]
    assert parked["reason"] == "a rule of the CRM refused the row (0x80040265)"
    assert parked["detail"] == "Not on a Friday."
    answer = await sync.http.post(f"{sync.path}/{connection}/retry")
    assert answer.json() == {"retried": 1}
    await sync.settled(connection, ok=1)


async def test_a_key_that_dataverse_cannot_address_is_parked_without_a_call(sync: Sync) -> None:
    sync.peer.put("A/B", name="A")
    sync.peer.put("O'Brien & Sons", name="B")
    sync.peer.put("O'Brien", name="C")
    connection = await sync.connect()
    await sync.settled(connection, ok=1, parked=2)
    assert [row[sync.simulator.KEY] for row in sync.simulator.records()] == ["O'Brien"]


async def test_a_field_that_is_chosen_later_is_sent_for_every_record_and_others_are_not(
    sync: Sync,
) -> None:
    sync.peer.fill(5)
    sync.peer.choice = {"organisation": ["name"]}
    connection = await sync.connect()
    await sync.settled(connection, ok=5)
    sync.peer.choice = {"organisation": ["name", "sector"]}
    await sync.tell(FieldChoiceChanged(tenant=sync.tenant, connection=UUID(connection)))
    await eventually(lambda: len(sync.sent()) == 10)
    assert all(body == {sync.simulator.SECTOR: "Energy"} for _, body in sync.sent()[5:])


async def test_after_a_restore_the_crm_converges_and_only_differences_are_sent(
    sync: Sync,
) -> None:
    sync.peer.fill(10)
    connection = await sync.connect()
    await sync.settled(connection, ok=10)
    kept = {id_: dict(record) for id_, record in sync.peer.records.items()}
    ids = list(sync.peer.records)
    sync.peer.put("K0", name="changed before the restore")
    sync.peer.put("LATER", name="made after the backup")
    for gone in ids[5:]:
        sync.peer.delete(gone)
    await sync.settled(connection, ok=6, removed=5)
    before = len(sync.sent())
    sync.peer.records, sync.peer.journal, sync.peer.chain = kept, [], "b"
    await sync.tell(DatabaseSwapped(tenant=sync.tenant, restore=new_id()))
    await sync.settled(connection, ok=10, removed=1)
    assert [body for _, body in sync.sent()[before:]] == [{"name": "Name 0"}]


async def test_two_connections_send_what_was_chosen_for_each_of_them(sync: Sync) -> None:
    sync.peer.choice = {}
    sync.peer.fill(3)
    first, second = UUID(await sync.connect()), UUID(await sync.connect(modules=sync.apart(1)))
    await eventually(lambda: len(sync.peer.positions) >= 2)
    sync.peer.choices = {
        first: {"organisation": ["name"]},
        second: {"organisation": ["sector"]},
    }
    for connection in (first, second):
        await sync.tell(FieldChoiceChanged(tenant=sync.tenant, connection=connection))
    await sync.settled(str(first), ok=3)
    await sync.settled(str(second), ok=3)
    for connection, column in ((first, sync.simulator.NAME), (second, sync.simulator.SECTOR)):
        calls = (await sync.get(f"/{connection}/ledger"))["calls"]
        assert {name for call in calls for name in call["fields"]} == {column}


async def test_the_row_of_a_vanished_record_stays_in_the_crm(sync: Sync) -> None:
    record = sync.peer.put("ONE", name="A")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    assert len(sync.simulator.records()) == 1


async def test_a_suspended_tenant_sends_nothing_until_it_is_resumed(sync: Sync) -> None:
    connection = await sync.connect()
    sync.peer.state = "suspended"
    await sync.tell(TenantSuspended(tenant=sync.tenant))

    async def is_suspended() -> object:
        async with sync.parts.db.read() as session:
            return await session.scalar(text("SELECT suspended FROM connection"))

    await eventually(is_suspended)
    sync.peer.fill(3)
    await sync.parts.pusher.sweep()
    assert sync.batches() == []
    sync.peer.state = "active"
    await sync.settled(connection, ok=3)


async def test_a_peer_that_is_down_costs_time_and_no_data(sync: Sync) -> None:
    connection = await sync.connect()
    sync.peer.down = True
    sync.peer.fill(4)
    await eventually(lambda: sync.peer.refused > 1)
    assert sync.batches() == []
    sync.peer.down = False
    await sync.settled(connection, ok=4)


async def test_two_processes_never_push_a_connection_at_the_same_time(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(200)
    simulator.switches.latency_s = 0.02
    async with (
        running_sync(sync_url, tmp_path, simulator, peer, batch_rows=10) as one,
        running_sync(sync_url, tmp_path, simulator, peer, batch_rows=10) as two,
    ):
        connection = await one.connect()
        await two.settled(connection, ok=200)
    assert len(one.sent()) == 200


async def test_every_call_stands_in_the_ledger_with_fields_rows_and_bytes(sync: Sync) -> None:
    sync.peer.fill(7)
    connection = await sync.connect()
    await sync.settled(connection, ok=7)
    calls = (await sync.get(f"/{connection}/ledger"))["calls"]
    assert len(calls) == len(sync.simulator.requests())
    batch = next(call for call in calls if call["operation"] == "upsert-batch")
    assert (batch["table"], batch["rows"], batch["status"]) == (sync.simulator.TABLE, 7, 200)
    assert batch["fields"] == [sync.simulator.SECTOR, sync.simulator.NAME]
    assert batch["request_bytes"] == len(sync.simulator.requests(sync.simulator.BATCH)[0].body)
    assert batch["response_bytes"] > 0
