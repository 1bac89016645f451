"""Records over HTTP as a client expects it: places, versions, HEAD, and one form of JSON."""

import re
from typing import Any

import pytest

from contracts.clients import ChangePage, PresentRecords
from contracts.schema import TIME_PATTERN
from services.tenants.schemas import ChangeList, ModuleList, RecordPage, RecordView

FIELDS = {"name": "3M", "symbol": "MMM", "date_added": "1957-03-04"}


async def test_a_record_is_where_its_answer_says(api: Any) -> None:
    answer = await api.call("POST", "/records/organisation", json={"fields": FIELDS})
    assert answer.status_code == 201
    place = answer.headers["location"].removeprefix(f"/t/{api.tenant}/v1")
    found = await api.call("GET", place)
    assert (found.json(), found.headers["etag"]) == (answer.json(), answer.headers["etag"])


async def test_a_known_version_is_a_304_and_head_shows_the_tag(api: Any) -> None:
    made = await api.create(FIELDS)
    path = f"/records/organisation/{made['id']}"
    head = await api.call("HEAD", path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", api.tag(1))
    known = await api.call("GET", path, headers={"if-none-match": f'W/{api.tag(1)}, "x"'})
    assert (known.status_code, known.content) == (304, b"")
    await api.patch(made, {"fields": {"name": "3M Company"}})
    changed = await api.call("GET", path, headers={"if-none-match": api.tag(1)})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)


async def test_a_304_is_only_for_who_may_read(api: Any) -> None:
    made = await api.create(FIELDS)
    path, known = f"/records/organisation/{made['id']}", {"if-none-match": "*"}
    assert (await api.as_user().call("GET", path, headers=known)).status_code == 403
    own = api.as_user(organisation_view=1)
    assert (await own.call("GET", path, headers=known)).status_code == 404


@pytest.mark.parametrize("tags", ["*", '"00000000-1", {}', '{}, W/"x"'])
async def test_a_change_may_name_several_versions_or_any(api: Any, tags: str) -> None:
    made = await api.create(FIELDS)
    path = f"/records/organisation/{made['id']}"
    headers = {"if-match": tags.replace("{}", api.tag(1))}
    body = {"fields": {"name": "3M Company"}}
    assert (await api.call("PATCH", path, json=body, headers=headers)).status_code == 200
    headers = {"if-match": tags.replace("{}", api.tag(2))}
    assert (await api.call("DELETE", path, headers=headers)).status_code == 204


async def test_any_version_of_what_is_not_there_is_still_not_there(api: Any) -> None:
    path = f"/records/organisation/{api.user}"
    for method in ("PATCH", "DELETE"):
        body: dict[str, Any] = {"json": {"fields": {}}} if method == "PATCH" else {}
        answer = await api.call(method, path, headers={"if-match": "*"}, **body)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "query",
    ["name=x", "filter[name]=3M", "Limit=5", "page=2", "sort=name&sort=symbol", "limit=1&limit=2"],
)
async def test_a_list_takes_no_parameter_that_it_does_not_know(api: Any, query: str) -> None:
    answer = await api.call("GET", f"/records/organisation?{query}")
    assert answer.status_code == 422
    name = query.partition("=")[0]
    assert [one["pointer"] for one in answer.json()["errors"]] == [f"#query/{name}"]


async def test_an_upload_with_a_misspelt_parameter_writes_nothing(api: Any) -> None:
    answer = await api.csv("symbol,name\nX,n\n", "?key_column=symbol")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#query/key_column"
    assert (await api.bulk([{"fields": FIELDS}], "?onerror=skip")).status_code == 422
    assert await api.listed() == []


async def test_an_upload_of_another_type_is_a_415(api: Any) -> None:
    for path, kind in (("bulk", "text/csv"), ("import", "application/json"), ("import", "")):
        headers = {"content-type": kind} if kind else {}
        answer = await api.call(
            "POST", f"/records/organisation/{path}", content=b"{}", headers=headers
        )
        assert answer.status_code == 415, (path, kind)


async def test_json_made_by_postgresql_is_what_the_descriptions_say(api: Any) -> None:
    """Nobody else holds these answers against their models: they leave as they are."""
    made = await api.call("POST", "/records/organisation", json={"fields": FIELDS})
    await api.create({"last_name": "Ada"}, "person", key="A-1")
    path = f"/records/organisation/{made.json()['id']}"
    for answer in (made, await api.call("GET", path)):
        RecordView.model_validate_json(answer.content)
    changed = await api.patch(made.json(), {"fields": {"sector": "IT"}, "responsible": None})
    assert RecordView.model_validate_json(changed.content).responsible is None
    page = await api.call("GET", "/records/organisation?limit=1")
    [record] = RecordPage.model_validate_json(page.content).records
    assert record.fields["symbol"] == "MMM"
    modules = ModuleList.model_validate_json((await api.call("GET", "/modules")).content)
    assert {one.module for one in modules.modules} >= {"organisation", "person"}
    changes = ChangeList.model_validate_json((await api.call("GET", "/changes")).content)
    assert len(changes.rows) == 2


async def test_rows_for_a_connection_are_what_the_descriptions_say(api: Any) -> None:
    made, connection = await api.create(FIELDS), api.user
    await api.register(connection)
    choice = f"/field-choices/{connection}/organisation"
    assert (await api.call("PUT", choice, json={"fields": ["name"]})).status_code == 200
    path = f"/connections/{connection}"
    changes = await api.internal("GET", f"{path}/changes")
    [head] = ChangePage.model_validate_json(changes.content).rows
    assert changes.json()["rows"] == [head.model_dump(mode="json")], "and nothing beside it"
    body = {"module": "organisation", "ids": [made["id"]]}
    rows = await api.internal("POST", f"{path}/records", json=body)
    [row] = PresentRecords.model_validate_json(rows.content).rows
    assert rows.json()["rows"] == [row.model_dump(mode="json")]
    assert row.fields == {"name": "3M"}


async def test_times_have_six_digits_and_say_utc(api: Any, databases: Any) -> None:
    made = await api.create(FIELDS)
    async with databases.write(api.tenant, actor="user:test") as session:
        await session.execute(
            "UPDATE record SET updated_at = '2026-01-31 09:00:00+02' WHERE id = $1", made["id"]
        )
    path = f"/records/organisation/{made['id']}"
    for answer in (await api.call("GET", path)).json(), (await api.listed())[0]:
        assert answer["updated_at"] == "2026-01-31T07:00:00.000000Z"
        assert re.fullmatch(TIME_PATTERN, answer["created_at"])
