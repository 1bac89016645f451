"""Nothing is final without a second look, and what lies in the connection parks no row."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, new_id
from kit.db import Database
from sandbox.dataverse.tokens import Secret
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet


async def is_broken(sync: Sync, connection: str) -> bool:
    return bool((await sync.get(f"/{connection}"))["state"] == "broken")


async def hurry(sync_url: str, statement: str) -> None:
    """Let time pass: what is due later is due now."""
    db = Database(sync_url)
    async with db.write() as session:
        await session.run(text(statement))
    await db.close()


LOOK = "UPDATE connection SET look_at = now()"
DUE = "UPDATE outgoing SET not_before = now() WHERE state = 'parked'"


async def test_a_secret_that_is_well_again_heals_the_connection_by_itself(
    sync: Sync, sync_url: str
) -> None:
    connection = await sync.connect()
    known = list(sync.simulator.simulation.tokens.applications[sync.simulator.client_id])
    sync.simulator.simulation.set_secrets(sync.simulator.client_id, [Secret("another")])
    sync.simulator.simulation.tokens.audiences.append("x")
    sync.peer.fill(3)
    await eventually(lambda: is_broken(sync, connection))
    sync.simulator.simulation.set_secrets(sync.simulator.client_id, known)
    await hurry(sync_url, LOOK)
    await sync.settled(connection, ok=3)
    assert (await sync.get(f"/{connection}"))["state"] == "active"
    async with sync.parts.db.read() as session:
        looks = "SELECT looks FROM connection WHERE look_at IS NULL"
        assert await session.scalar(text(looks)) == 0  # the next one is early again


async def test_a_look_is_taken_when_it_is_due_and_by_one_alone(sync_url: str) -> None:
    db = Database(sync_url)
    broken = (
        "INSERT INTO connection (id, tenant, name, kind, state, address, modules, suspended)"
        " VALUES (:id, :id, '', '', 'active', '{}', '{}', :suspended)"
    )
    due, later, suspended = (ConnectionId(new_id()) for _ in range(3))
    async with db.write() as session:
        for id_ in (due, later, suspended):
            await session.run(text(broken), {"id": id_, "suspended": id_ == suspended})
            assert await connections.set_state(session, id_, "broken", was=["active"])
        assert await connections.take_look(session) is None
        hurry = "UPDATE connection SET look_at = look_at - interval '1 h' WHERE id <> :id"
        await session.run(text(hurry), {"id": later})
    async with db.write() as first, db.write() as second:
        taken = await connections.take_look(first)
        assert taken is not None
        assert taken.id == due
        assert await connections.take_look(second) is None
    async with db.write() as session:
        assert await connections.take_look(session) is None
    await db.close()


async def test_a_look_that_finds_nothing_better_waits_longer_for_the_next(
    sync: Sync, sync_url: str
) -> None:
    connection = await sync.connect()
    sync.simulator.simulation.set_secrets(sync.simulator.client_id, [Secret("another")])
    sync.peer.fill(1)
    await eventually(lambda: is_broken(sync, connection))
    waits = []
    db = Database(sync_url)
    for looks in (1, 2, 3, 12):
        await hurry(sync_url, f"UPDATE connection SET look_at = now(), looks = {looks - 1}")

        async def looked(at_least: int = looks) -> bool:
            async with db.read() as session:
                return bool(await session.scalar(text("SELECT looks FROM connection")) >= at_least)

        await eventually(looked)
        async with db.read() as session:
            left = "SELECT extract(epoch FROM look_at - now())::float FROM connection"
            waits.append(round(await session.scalar(text(left)) / 60))
    await db.close()
    assert waits == [2, 4, 8, 360]
    assert await is_broken(sync, connection)


async def test_a_parked_row_is_tried_again_by_itself_later_each_time(
    sync: Sync, sync_url: str
) -> None:
    sync.simulator.add_fault(kind="refuse_row", table=sync.simulator.TABLE, times=2)
    sync.peer.put("ONE", name="A")
    connection = await sync.connect()
    await sync.settled(connection, parked=1)
    await hurry(sync_url, DUE)

    async def again() -> bool:
        found = (await sync.get(f"/{connection}/outcomes"))["outcomes"][0]
        return bool(found["attempts"] == 2)

    await eventually(again)
    await sync.settled(connection, parked=1)
    await hurry(sync_url, DUE)
    await sync.settled(connection, ok=1)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401, "body": "json"},
        {"status": 403, "body": "json"},
        {"status": 403, "body": "json", "code": "0x80040225"},
        {"status": 400, "body": "json", "code": "0x80040220"},
    ],
)
async def test_what_the_application_user_may_not_parks_no_row_and_heals(
    sync: Sync, sync_url: str, answer: dict[str, Any]
) -> None:
    """Also inside of a batch, where some rows were accepted."""
    refused = {"status": answer["status"], "code": answer.get("code", "")}
    sync.simulator.add_fault(
        kind="refuse_row", table=sync.simulator.TABLE, column="name", value="Name 2", **refused
    )
    sync.peer.fill(5)
    connection = await sync.connect()
    await eventually(lambda: is_broken(sync, connection))
    assert (await sync.get(f"/{connection}"))["outcomes"].keys() == {"ok", "pending"}
    await hurry(sync_url, LOOK)
    await sync.settled(connection, ok=5)


@pytest.mark.parametrize("status", [403, 404, 200, 400, 502])
async def test_a_page_of_a_proxy_breaks_nothing_and_is_never_split(sync: Sync, status: int) -> None:
    sync.simulator.add_fault(
        kind="status", path=sync.simulator.BATCH, status=status, body="html", times=3
    )
    sync.peer.fill(6)
    connection = await sync.connect()
    await sync.settled(connection, ok=6)
    sizes = [len(batch) for batch in sync.batches()]  # fewer, but never the same ones in parts
    assert sizes[:2] == [6, 6]
    assert sorted(sizes) == [2, 4, 4, 6, 6]
    assert (await sync.get(f"/{connection}"))["state"] == "active"


async def test_an_outage_inside_of_the_parts_holds_the_connection_and_parks_no_row(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fault = simulator.add_fault(
        kind="refuse_row", table=simulator.TABLE, status=500, code="0x80040216", times=None
    )
    peer.fill(12)
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=2) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(sync.batches()) >= 12)
        body = await sync.get(f"/{connection}")
        assert body["outcomes"] == {"pending": 12}
        simulator.simulation.organisation.faults.remove(fault.id)
        await sync.settled(connection, ok=12)


async def test_a_row_that_always_fails_there_is_told_from_an_outage_and_parked(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    simulator.add_fault(
        kind="refuse_row",
        table=simulator.TABLE,
        column="name",
        value="Name 1",
        status=500,
        code="0x80040216",
        times=None,
    )
    peer.fill(3)
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=2) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(simulator.records()) == 2)
        for number in range(8):  # somebody else's rows go through beside it
            peer.put(f"N{number}", name="Other")
            await eventually(lambda number=number: len(simulator.records()) == 3 + number)
        await sync.settled(connection, ok=10, parked=1)
        await eventually(lambda: is_quiet(sync))


async def test_the_words_of_a_plug_in_break_no_connection(sync: Sync) -> None:
    sync.simulator.add_fault(
        kind="refuse_row",
        table=sync.simulator.TABLE,
        column="name",
        value="Name 1",
        code="0x0",
        message="Invalid property address: could not find a property named 'x'",
        times=None,
    )
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=2, parked=1)
    assert (await sync.get(f"/{connection}"))["state"] == "active"


async def test_a_column_that_is_gone_breaks_the_connection_by_what_the_crm_describes(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    schema = sync.simulator.simulation.organisation.schema
    table = schema.tables[sync.simulator.TABLE]
    columns = {name: one for name, one in table.columns.items() if name != sync.simulator.SECTOR}
    schema.put(replace(table, columns=columns))
    sync.peer.fill(3)
    await eventually(lambda: is_broken(sync, connection))
    body = await sync.get(f"/{connection}")
    assert body["reason"] == "the table 'accounts' has no column 'bulkhead_sector'"
    assert "parked" not in body["outcomes"]
