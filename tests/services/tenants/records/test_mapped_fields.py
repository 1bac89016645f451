"""Only what is chosen and mapped leaves: a choice beyond the mapping is refused, and one that the
mapping has left behind is kept and lets nothing out."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.credentials import ServiceAuth
from tests.services.tenants.records.test_changes_feed import Feed

LEGACY = """INSERT INTO field_choice (connection, module, field)
    SELECT $1, 'organisation', unnest($2::text::text[])"""


async def choose(api: Any, connection: UUID, *fields: str, module: str = "organisation") -> Any:
    path = f"/field-choices/{connection}/{module}"
    return await api.call("PUT", path, json={"fields": [*fields]})


async def chosen(api: Any, connection: UUID, module: str = "organisation") -> list[str]:
    answer = await api.call("GET", f"/field-choices/{connection}/{module}")
    fields: list[str] = answer.json()["fields"]
    return fields


async def asked(api: Any, connection: UUID, *ids: str) -> Any:
    body = {"module": "organisation", "ids": [*ids]}
    answer = await api.internal("POST", f"/connections/{connection}/records", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def chosen_before(databases: Any, api: Any, fields: str) -> UUID:
    """A connection of which only a choice is known, as from before connections were told of."""
    made = uuid4()
    async with databases.write(api.tenant, actor="user:test") as session:
        await session.execute(LEGACY, made, fields)
    return made


async def test_each_field_that_is_not_mapped_is_named_and_the_choice_stays(api: Any) -> None:
    connection = uuid4()
    await api.register(connection, organisation=["name", "sector"])
    assert (await choose(api, connection, "sector")).status_code == 200
    refused = await choose(api, connection, "name", "cik", "colour", "founded")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/request-invalid")
    faults = {one["pointer"]: one["message"] for one in refused.json()["errors"]}
    assert faults == {
        "/fields/1": "is a field that the connection does not map: change its mapping first",
        "/fields/2": "names no field of this module",
        "/fields/3": "is a field that the connection does not map: change its mapping first",
    }
    assert await chosen(api, connection) == ["sector"]


async def test_of_a_module_that_is_not_mapped_nothing_can_be_chosen(api: Any) -> None:
    connection = uuid4()
    await api.register(connection, organisation=["name"])
    refused = await choose(api, connection, "last_name", module="person")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/fields/0")
    assert (await choose(api, connection, module="person")).status_code == 200


@pytest.mark.parametrize("fields", [["name"], []])
async def test_nothing_is_chosen_for_a_connection_that_is_not_there(
    api: Any, fields: list[str]
) -> None:
    refused = await choose(api, uuid4(), *fields)
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (404, "/problems/connection-not-registered")
    assert "no such connection" in problem["detail"]
    assert "ask again" in problem["detail"]


async def test_a_choice_from_before_holds_can_be_withdrawn_and_is_widened_only_once_known(
    api: Any, databases: Any
) -> None:
    connection = await chosen_before(databases, api, "{name,sector}")
    made = await api.create({"symbol": "A", "name": "a", "sector": "s", "cik": "c"})
    present = await asked(api, connection, made["id"])
    assert present["rows"][0]["fields"] == {"name": "a", "sector": "s"}
    assert (await choose(api, connection, "name", "cik")).status_code == 404
    assert (await choose(api, connection)).status_code == 200
    assert await asked(api, connection, made["id"]) == {"chosen": False, "rows": []}


async def test_that_a_connection_becomes_known_starts_nothing_over(
    api: Any, databases: Any
) -> None:
    """Else every connection would be compared anew when the release with mappings comes."""
    connection = await chosen_before(databases, api, "{name,sector}")
    made = await api.create({"symbol": "A", "name": "a", "sector": "s"})
    feed = Feed(api, connection)
    await feed.catch_up()
    for _ in range(2):
        await api.register(connection, organisation=["name"])
        await feed.catch_up()
    assert feed.resets == 1
    assert (await asked(api, connection, made["id"]))["rows"][0]["fields"] == {"name": "a"}
    assert await chosen(api, connection) == ["name", "sector"]


async def test_a_field_that_is_mapped_no_more_stays_and_one_that_is_again_starts_the_feed_over(
    api: Any,
) -> None:
    connection = uuid4()
    await api.register(connection, organisation=["name", "sector"])
    await choose(api, connection, "name", "sector")
    made = await api.create({"symbol": "A", "name": "a", "sector": "s", "cik": "s3cret"})
    feed = Feed(api, connection)
    await feed.catch_up()
    await api.register(connection, organisation=["name", "cik"])
    await feed.catch_up()
    assert await feed.values() == {"A": {"name": "a"}}
    assert await chosen(api, connection) == ["name", "sector"], "the customer's word is kept"
    before = feed.resets
    await api.register(connection, organisation=["sector", "name"])
    assert [row["id"] for row in await feed.catch_up()] == [made["id"]]
    assert feed.resets == before + 1, "nobody has to be told for it"
    assert await feed.values() == {"A": {"name": "a", "sector": "s"}}
    assert "s3cret" not in "".join(feed.answers)


@pytest.mark.parametrize(
    "modules", [{"organisation": ["cik"]}, {"organisation": []}, {"person": ["email"]}]
)
async def test_where_nothing_is_both_chosen_and_mapped_nothing_leaves_and_nothing_is_gone(
    api: Any, modules: dict[str, list[str]]
) -> None:
    """An empty meeting of the two never means all fields, nor that the records have vanished."""
    connection = uuid4()
    await api.register(connection, organisation=["name"])
    await choose(api, connection, "name")
    made = await api.create({"symbol": "A", "name": "a"})
    await api.register(connection, **modules)
    assert await asked(api, connection, made["id"]) == {"chosen": False, "rows": []}
    feed = Feed(api, connection)
    assert await feed.catch_up() == []
    path = f"/records/organisation/{made['id']}"
    await api.call("DELETE", path, headers={"if-match": api.tag(1)})
    assert await feed.catch_up() == []


async def test_a_record_that_is_gone_is_told_from_a_module_that_is_not_chosen(api: Any) -> None:
    connection = uuid4()
    await api.register(connection)
    await choose(api, connection, "name")
    made = await api.create({"symbol": "A", "name": "a"})
    assert await asked(api, connection, str(uuid4())) == {"chosen": True, "rows": []}
    assert (await asked(api, connection, made["id"]))["chosen"] is True
    await choose(api, connection)
    assert await asked(api, connection, made["id"]) == {"chosen": False, "rows": []}


async def test_a_connection_that_is_removed_takes_its_choice_with_it_and_no_other(
    api: Any,
) -> None:
    removed, other = uuid4(), uuid4()
    for connection in (removed, other):
        await api.register(connection)
        await choose(api, connection, "name")
    for _ in range(2):
        assert (await api.internal("DELETE", f"/connections/{removed}")).status_code == 204
    assert (await chosen(api, removed), await chosen(api, other)) == ([], ["name"])
    assert (await choose(api, removed, "name")).status_code == 404
    assert (await choose(api, other, "cik")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"modules": {"organisation": "name"}},
        {"modules": {"organisation": [""]}},
        {"modules": {"organisation": ["n" * 64]}},
        {"modules": {"organisation": ["name"] * 501}},
        {"modules": {f"m{number}": [] for number in range(51)}},
        {"modules": {}, "more": 1},
    ],
)
async def test_a_mapping_has_its_bounds(api: Any, body: dict[str, Any]) -> None:
    answer = await api.internal("PUT", f"/connections/{uuid4()}", json=body)
    assert answer.status_code == 422


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_nobody_but_sync_says_what_is_mapped(api: Any, method: str) -> None:
    path = f"/internal/tenants/{api.tenant}/connections/{uuid4()}"
    body: Any = {"modules": {}} if method == "PUT" else None
    for headers in ({}, {"authorization": f"Bearer {api.token()}"}):
        answer = await api.raw(method, path, json=body, headers=headers)
        assert answer.status_code == 401
    other = ServiceAuth(api.service_key, "backup", "tenants")
    assert (await api.raw(method, path, json=body, auth=other)).status_code == 401
