"""Readers side by side: each sees what it may see, whatever another one may."""

from typing import Any
from uuid import uuid4

from contracts.access import Scope


async def choose(api: Any, **fields: list[str]) -> Any:
    connection = uuid4()
    await api.register(connection)
    for module, names in fields.items():
        path = f"/field-choices/{connection}/{module}"
        assert (await api.call("PUT", path, json={"fields": names})).status_code == 200
    return connection


async def rows(api: Any, connection: Any, query: str = "") -> tuple[dict[str, Any], str]:
    """What the connection may see of what has changed, by module, and where it goes on."""
    found, more, after = dict[str, Any](), True, query
    while more:
        answer = await api.internal("GET", f"/connections/{connection}/changes?limit=500{after}")
        page = answer.json()
        for row in page["rows"]:
            found[row["module"]] = await values(api, connection, row["module"], [row["id"]])
        more, after = page["more"], f"&after={page['position']}"
    return found, after


async def values(api: Any, connection: Any, module: str, ids: list[str]) -> Any:
    """The values of the one record of these that is of the module, or nothing."""
    body = {"module": module, "ids": ids}
    answer = await api.internal("POST", f"/connections/{connection}/records", json=body)
    found = [row["fields"] for row in answer.json()["rows"]]
    assert len(found) <= 1
    return found[0] if found else None


async def test_two_connections_with_different_choices_see_their_own_fields_only(api: Any) -> None:
    first = await choose(api, organisation=["name"])
    second = await choose(api, organisation=["sector"], person=["last_name"])
    nothing = uuid4()
    made = await api.create({"symbol": "A", "name": "a", "sector": "s"})
    person = await api.create({"last_name": "p", "email": "p@example.org"}, "person")
    expected = {
        first: {"organisation": {"name": "a"}},
        second: {"organisation": {"sector": "s"}, "person": {"last_name": "p"}},
        nothing: {},
    }
    places = {}
    for connection, fields in expected.items():
        walked, places[connection] = await rows(api, connection)
        assert walked == fields
    await api.patch(made, {"fields": {"name": "b", "sector": "t"}})
    await api.patch(person, {"fields": {"last_name": "q"}})
    followed = {one: (await rows(api, one, place))[0] for one, place in places.items()}
    assert followed[first] == {"organisation": {"name": "b"}}
    assert followed[second] == {"organisation": {"sector": "t"}, "person": {"last_name": "q"}}
    assert followed[nothing] == {}
    for connection, fields in followed.items():
        ids = [made["id"], person["id"]]
        present = await values(api, connection, "organisation", ids)
        assert present == fields.get("organisation")


async def test_a_consumer_without_a_grant_sees_nothing_of_that_module(api: Any) -> None:
    await api.create({"symbol": "A", "name": "a"})
    person = await api.create({"last_name": "p"}, "person")
    reader = api.as_user(organisation_view=Scope.ALL, export_api_bulk=Scope.ALL)
    first = (await reader.call("GET", "/changes")).json()
    assert {row["module"] for row in first["rows"]} == {"organisation"}
    await api.patch(person, {"fields": {"last_name": "q"}})
    after = (await reader.call("GET", f"/changes?after={first['position']}")).json()
    while after["more"]:
        assert {row["module"] for row in after["rows"]} <= {"organisation"}
        after = (await reader.call("GET", f"/changes?after={after['position']}")).json()
    assert after["rows"] == []
    path = f"/records/person/{person['id']}"
    await api.call("DELETE", path, headers={"if-match": api.tag(2)})
    after = (await reader.call("GET", f"/changes?after={first['position']}")).json()
    assert after["rows"] == []


async def test_a_follower_starts_over_when_the_table_was_emptied_at_once(
    api: Any, tenant_cluster: Any, address: Any
) -> None:
    connection = await choose(api, organisation=["name"])
    await api.create({"symbol": "A", "name": "a"})
    _, place = await rows(api, connection)
    async with tenant_cluster.inside(address.database, f"{address.database}_owner") as inside:
        await inside.execute("TRUNCATE record CASCADE")
    answer = await api.internal("GET", f"/connections/{connection}/changes?limit=500{place}")
    assert (answer.json()["reset"], answer.json()["rows"]) == (True, [])
