"""A connection is changed in place, and what the CRM is believed to hold can be forgotten."""

import asyncio
from copy import deepcopy
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from contracts.ids import TenantId, new_id
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync


def mapped(sync: Sync, **changes: Any) -> dict[str, Any]:
    return {"organisation": sync.simulator.MAPPING | changes}


async def change(sync: Sync, connection: str, **changes: Any) -> dict[str, Any]:
    answer = await sync.http.patch(f"{sync.path}/{connection}", json=changes)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_field_that_is_mapped_later_is_sent_alone(sync: Sync) -> None:
    all_fields = sync.simulator.MAPPING["fields"]
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(modules=mapped(sync, fields={"name": all_fields["name"]}))
    await sync.settled(connection, ok=1)
    body = await change(sync, connection, modules=mapped(sync), name="Renamed")
    assert (body["name"], body["modules"]["organisation"]["fields"]) == ("Renamed", all_fields)
    await eventually(lambda: len(sync.sent()) == 2)
    await sync.settled(connection, ok=1)
    assert sync.sent()[1][1] == {sync.simulator.SECTOR: "Energy"}


async def test_another_table_or_key_has_other_rows(sync: Sync) -> None:
    sync.peer.put("A", name="One")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await change(sync, connection, modules=mapped(sync, key_attribute="accountnumber"))
    await eventually(lambda: len(sync.simulator.records()) == 2)
    await sync.settled(connection, ok=1)
    assert [row["name"] for row in sync.simulator.records()] == ["One", "One"]


async def test_a_module_that_is_mapped_no_more_is_not_counted_any_more(sync: Sync) -> None:
    sync.peer.choice["contact"] = ["name"]
    sync.peer.put("A", name="One")
    sync.peer.put("C", module="contact", name="Two")
    contact = {"table": "accounts", "key_attribute": "accountnumber", "fields": {"name": "name"}}
    connection = await sync.connect(modules=mapped(sync) | {"contact": contact})
    await sync.settled(connection, ok=2)
    await change(sync, connection, modules=mapped(sync))
    await sync.settled(connection, ok=1)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"modules": {}}, 422),
        ({"missing": "whatever"}, 422),
        ({"client_secret": "x"}, 422),
        ({"environment_url": "http://contoso.crm.example"}, 422),
        ({"client_id": "unknown"}, 422),
        ({"name": ""}, 422),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(
    sync: Sync, changes: dict[str, Any], status: int
) -> None:
    connection = await sync.connect()
    before = await sync.get(f"/{connection}")
    answer = await sync.http.patch(f"{sync.path}/{connection}", json=changes)
    assert answer.status_code == status, answer.text
    assert await sync.get(f"/{connection}") == before


async def test_two_connections_of_a_tenant_never_write_the_same_rows(sync: Sync) -> None:
    first = await sync.connect()
    answer = await sync.http.post(sync.path, json=sync.wanted(name="Second"))
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/crm-target-taken"
    assert "Our CRM" in answer.json()["detail"]
    second = await sync.connect(name="Second", modules=mapped(sync, key_attribute="accountnumber"))
    path = f"{sync.path}/{second}"
    taken = await sync.http.patch(path, json={"modules": mapped(sync)})
    assert taken.status_code == 409
    await change(sync, second, name="Third")
    await sync.http.delete(f"{sync.path}/{first}")
    await change(sync, second, modules=mapped(sync))


async def test_a_change_with_which_the_crm_is_well_makes_a_broken_connection_active(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    schema = sync.simulator.simulation.organisation.schema
    table = schema.tables[sync.simulator.TABLE]
    columns = {name: one for name, one in table.columns.items() if name != sync.simulator.SECTOR}
    schema.put(replace(table, columns=columns))
    sync.peer.fill(3)

    async def is_broken() -> bool:
        return bool((await sync.get(f"/{connection}"))["state"] == "broken")

    await eventually(is_broken)
    assert (await change(sync, connection, name="Renamed"))["state"] == "broken"
    await change(sync, connection, modules=mapped(sync, fields={"name": sync.simulator.NAME}))
    await sync.settled(connection, ok=3)


async def test_of_two_changes_at_once_both_are_kept_or_one_is_looked_at_again(sync: Sync) -> None:
    """A look at the CRM may take minutes, and what was read before it may be so no more."""
    connection = await sync.connect()
    path, simulator = f"{sync.path}/{connection}", sync.simulator

    async def looked_at(**wanted: Any) -> asyncio.Task[httpx2.Response]:
        looks = len(simulator.requests(simulator.LOOK))
        slow = asyncio.create_task(sync.http.patch(path, json=wanted))
        await eventually(lambda: len(simulator.requests(simulator.LOOK)) > looks)
        return slow

    simulator.switches.latency_s = 1.0
    slow = await looked_at(modules=mapped(sync, fields={"name": simulator.NAME}))
    await change(sync, connection, name="Renamed")
    assert (await slow).status_code == 200
    body = await sync.get(f"/{connection}")
    fields = {"name": simulator.NAME}
    assert (body["name"], body["modules"]["organisation"]["fields"]) == ("Renamed", fields)
    slow = await looked_at(modules=mapped(sync))
    async with sync.parts.db.write() as session:
        moved = 'UPDATE connection SET address = address || \'{"environment_url": "https://a.b"}\''
        await session.run(text(moved))
    assert (await slow).status_code == 422  # looked at once more, where it leads now
    assert (await sync.get(f"/{connection}"))["environment_url"] == "https://a.b"


async def test_two_modules_never_write_the_same_rows(sync: Sync) -> None:
    twice = {"organisation": sync.simulator.MAPPING, "contact": sync.simulator.MAPPING}
    answer = await sync.http.post(sync.path, json=sync.wanted(modules=twice))
    assert answer.status_code == 422
    assert "same table" in answer.text


async def test_of_other_tenants_connections_nothing_is_told(sync: Sync) -> None:
    await sync.connect()
    other = TenantId(new_id())
    sync.peer.others.add(other)
    async with sync.as_user(other) as http:
        answer = await http.post(f"/t/{other}/v1/connections", json=sync.wanted())
    assert answer.status_code == 201


async def test_after_a_restored_environment_a_resync_makes_all_equal_again(sync: Sync) -> None:
    sync.peer.fill(12)
    sync.peer.put("OLD", name="Was", sector="Energy")
    connection = await sync.connect(missing="forget")
    await sync.settled(connection, ok=13)
    rows = sync.simulator.simulation.organisation.rows
    then = deepcopy({row.id: row.values for row in rows.all(sync.simulator.TABLE)})
    renamed = next(one["id"] for one in sync.peer.records.values() if one["key"] == "OLD")
    sync.peer.put("NEW", id_=renamed, name="Is", sector=None)
    sync.peer.put("LATER", name="Later")
    await sync.settled(connection, ok=14)
    restored(sync, then)
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
    assert answer.json() == {"resynced": 14}
    await eventually(lambda: len(sync.simulator.records()) == 14)
    await sync.settled(connection, ok=14)
    by_key = sync.simulator.by_key()
    assert by_key.keys() == {*(f"K{number}" for number in range(12)), "NEW", "LATER"}
    assert by_key["NEW"].get(sync.simulator.SECTOR) is None


def restored(sync: Sync, then: dict[str, dict[str, Any]]) -> None:
    """The environment as it was: the same rows with the same ids, and none that came later."""
    organisation = sync.simulator.simulation.organisation
    table = organisation.schema.tables[sync.simulator.TABLE]
    with organisation.rows.transaction():
        for row in organisation.rows.all(sync.simulator.TABLE):
            organisation.rows.delete(table, row)
        for row_id, values in then.items():
            organisation.rows.insert(table, row_id, values, {"user": None})


async def test_one_record_can_be_sent_again_by_its_key(sync: Sync) -> None:
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)
    sync.simulator.lose("K1", "K2")
    pages = len([one for one in sync.peer.positions if not one])
    wanted = {"module": "organisation", "key": "k1"}
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json=wanted)
    assert answer.json() == {"resynced": 1}
    await eventually(lambda: "K1" in sync.simulator.by_key())
    await sync.settled(connection, ok=3)
    assert "K2" not in sync.simulator.by_key()
    assert len([one for one in sync.peer.positions if not one]) == pages  # nothing is read again
    assert len(sync.sent()) == 4
    bad = await sync.http.post(f"{sync.path}/{connection}/resync", json={"key": "K1"})
    assert bad.status_code == 422


async def test_rows_of_which_no_id_was_kept_get_theirs_by_a_resync(sync: Sync) -> None:
    """As an earlier version has left them; also one whose key has changed since, which is the same
    row all the same."""
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)
    before = {row["accountid"] for row in sync.simulator.records()}
    await sync.http.post(f"{sync.path}/{connection}/pause")
    async with sync.parts.db.write() as session:
        await session.run(text("UPDATE outgoing SET crm_id = NULL"))
    renamed = next(one["id"] for one in sync.peer.records.values() if one["key"] == "K1")
    sync.peer.put("OTHER", id_=renamed)
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
    assert answer.json() == {"resynced": 3}
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await eventually(lambda: set(sync.simulator.by_key()) == {"K0", "OTHER", "K2"})
    await sync.settled(connection, ok=3)
    assert {row["accountid"] for row in sync.simulator.records()} == before
    async with sync.parts.db.read() as session:
        known = "SELECT count(DISTINCT crm_id) FROM outgoing"
        assert await session.scalar(text(known)) == 3
