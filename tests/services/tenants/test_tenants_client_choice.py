"""What the client of tenants promises of chosen and mapped fields, for real and in its stand-in."""

from typing import Any

from contracts.clients import PresentRecords
from contracts.ids import new_id
from tests.services.tenants.client_stages import played
from tests.services.tenants.test_tenants_client import Reader


@played("feed")
async def test_a_module_that_is_not_chosen_is_told_from_a_record_that_is_gone(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection, "name")
    record = await stage.put(reader.tenant, "A", name="a")
    assert await reader.is_chosen(record, new_id())
    await stage.delete(reader.tenant, record)
    assert await reader.is_chosen(record)
    await stage.choose(reader.tenant, reader.connection)
    assert not await reader.is_chosen(record)


def test_what_a_peer_of_before_leaves_out_is_taken_for_chosen_only_where_a_row_proves_it() -> None:
    """Else rows in a CRM could be deleted for records that are there, while a release rolls out."""
    row = {"id": new_id(), "module": "organisation", "key": "A", "version": 1, "fields": {}}
    assert not PresentRecords.model_validate({"rows": []}).chosen
    assert PresentRecords.model_validate({"rows": [row]}).chosen


@played("feed")
async def test_what_a_connection_does_not_map_stays_though_it_was_chosen(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection, "name", "sector")
    record = await stage.put(reader.tenant, "A", name="a", sector="IT")
    await reader.catch_up()
    await reader.map(organisation=["name", "cik"])
    assert await reader.values(record) == {"A": {"name": "a"}}
    await reader.catch_up()
    before = reader.resets
    await reader.map(organisation=["name", "cik"])
    assert (await reader.catch_up(), reader.resets) == ([], before), "nothing is new"
    await reader.map(organisation=["sector"])
    assert [one.key for one in await reader.catch_up()] == ["A"]
    assert (await reader.values(record), reader.resets) == ({"A": {"sector": "IT"}}, before + 1)
    await reader.map(person=["email"])
    assert (await reader.values(record), await reader.is_chosen(record)) == ({}, False)
    await stage.put(reader.tenant, "B", name="b")
    assert await reader.catch_up() == []


@played("feed")
async def test_a_connection_that_is_forgotten_sees_nothing_more(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection, "name")
    record = await stage.put(reader.tenant, "A", name="a")
    for _ in range(2):
        await reader.client.unregister(reader.tenant, reader.connection)
    assert (await reader.values(record), await reader.is_chosen(record)) == ({}, False)


@played("feed")
async def test_records_are_counted_of_open_modules_only(stage: Any) -> None:
    """Also those without a value in a chosen field."""
    reader = Reader(stage.client("sync"), await stage.tenant())
    of = (reader.tenant, reader.connection)
    assert await reader.client.count_records(*of) == {}
    await stage.choose(*of, "name")
    assert await reader.client.count_records(*of) == {"organisation": 0}
    gone, _ = [await stage.put(reader.tenant, key, sector="no name") for key in ("A", "B")]
    assert await reader.client.count_records(*of) == {"organisation": 2}, (
        "also those without values"
    )
    await stage.delete(reader.tenant, gone)
    assert await reader.client.count_records(*of) == {"organisation": 1}
    await reader.map(person=["email"])
    assert await reader.client.count_records(*of) == {}
