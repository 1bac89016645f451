"""Single records: typed, versioned, and 404 for whoever may not view them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from contracts.access import Scope
from tests.eventually import eventually

WAITING = "SELECT true FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'record r'"
MMM = {"symbol": "MMM", "name": "3M", "date_added": "1957-03-04"}


async def test_a_created_record_is_read_back_with_its_entity_tag(api: Any) -> None:
    answer = await api.call("POST", "/records/organisation", json={"fields": MMM})
    assert (answer.status_code, answer.headers["etag"]) == (201, api.tag(1))
    made = answer.json()
    assert made["fields"] == MMM
    assert (made["key"], made["module"], made["version"]) == ("MMM", "organisation", 1)
    assert made["responsible"] == str(api.user)
    again = await api.call("GET", f"/records/organisation/{made['id']}")
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, made, api.tag(1))


async def test_key_and_key_field_are_one_value(api: Any) -> None:
    assert (await api.create({"name": "3M"}, key="MMM"))["fields"]["symbol"] == "MMM"
    body = {"key": "A", "fields": {"name": "x", "symbol": "B"}}
    answer = await api.call("POST", "/records/organisation", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/fields/symbol")
    assert (await api.create({"name": "keyless"}))["key"] is None


async def test_a_taken_key_is_a_conflict_on_create_and_on_change(api: Any) -> None:
    await api.create(MMM)
    other = await api.create({"name": "Other", "symbol": "OTH"})
    answer = await api.call("POST", "/records/organisation", json={"fields": MMM})
    assert (answer.status_code, answer.json()["pointer"]) == (409, "/key")
    assert (await api.patch(other, {"fields": {"symbol": "MMM"}})).status_code == 409


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"symbol": "X"}, "/fields/name"),
        ({"name": None}, "/fields/name"),
        ({"name": 1}, "/fields/name"),
        ({"name": "x", "colour": "red"}, "/fields/colour"),
        ({"name": "x", "date_added": "yesterday"}, "/fields/date_added"),
        ({"name": "x" * 201}, "/fields/name"),
        ({"name": {"$ne": 1}}, "/fields/name"),
        ({"name": "x", "symbol": " X"}, "/key"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_written(
    api: Any, fields: dict[str, Any], pointer: str
) -> None:
    answer = await api.call("POST", "/records/organisation", json={"fields": fields})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await api.listed() == []


async def test_a_change_names_its_version_and_only_what_changes(api: Any) -> None:
    made = await api.create(MMM | {"sector": "Industrials"})
    answer = await api.patch(made, {"fields": {"name": "3M Company", "sector": None}})
    assert (answer.status_code, answer.headers["etag"]) == (200, api.tag(2))
    assert answer.json()["fields"] == MMM | {"name": "3M Company"}
    assert (await api.patch(made, {"fields": {"name": "late"}})).status_code == 412
    path = f"/records/organisation/{made['id']}"
    assert (await api.call("PATCH", path, json={"fields": {}})).status_code == 428
    for tag in (
        "W/" + api.tag(2),
        '"x"',
        '"2"',
        api.tag(2)[1:-1],
        api.tag(0),
        '"00000000-2"',
        "* ,",
    ):
        answer = await api.call("PATCH", path, json={"fields": {}}, headers={"if-match": tag})
        assert answer.status_code == 412
    assert (await api.call("GET", path)).json()["fields"]["name"] == "3M Company"


async def test_a_change_of_nothing_keeps_the_version(api: Any) -> None:
    made = await api.create(MMM)
    answer = await api.patch(made, {"fields": {"name": "3M", "sector": None}})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


async def test_a_required_field_cannot_be_cleared(api: Any) -> None:
    made = await api.create(MMM)
    answer = await api.patch(made, {"fields": {"name": None}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/fields/name")


async def test_the_key_follows_its_field_and_the_field_its_key(api: Any) -> None:
    made = await api.create(MMM)
    moved = (await api.patch(made, {"fields": {"symbol": "M3"}})).json()
    assert moved["key"] == "M3"
    back = (await api.patch(moved, {"key": "MMM"})).json()
    assert (back["key"], back["fields"]["symbol"]) == ("MMM", "MMM")
    bare = (await api.patch(back, {"key": None})).json()
    assert (bare["key"], bare["fields"]) == (None, {"name": "3M", "date_added": "1957-03-04"})


async def test_of_two_changes_of_one_version_exactly_one_wins(api: Any) -> None:
    made = await api.create(MMM)
    answers = await asyncio.gather(
        *(api.patch(made, {"fields": {"name": f"name {n}"}}) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_a_change_waits_for_one_that_is_under_way_and_then_comes_too_late(
    api: Any, databases: Any, cluster: Any
) -> None:
    made = await api.create(MMM)
    superuser = await cluster.superuser()

    async def waits() -> Any:
        return await superuser.fetchval(WAITING)

    async with databases.write(api.tenant, actor="user:other") as session:
        await session.execute("UPDATE record SET version = 2 WHERE id = $1", made["id"])
        late = asyncio.create_task(api.patch(made, {"fields": {"name": "x"}}))
        await eventually(waits)
    await superuser.close()
    assert (await late).status_code == 412


async def test_a_deletion_names_its_version(api: Any) -> None:
    made = await api.create(MMM)
    path = f"/records/organisation/{made['id']}"
    assert (await api.call("DELETE", path)).status_code == 428
    assert (await api.call("DELETE", path, headers={"if-match": api.tag(2)})).status_code == 412
    assert (await api.call("DELETE", path, headers={"if-match": api.tag(1)})).status_code == 204
    assert (await api.call("GET", path)).status_code == 404
    assert (await api.call("DELETE", path, headers={"if-match": api.tag(1)})).status_code == 404


async def test_payment_data_is_refused_on_every_single_write_and_not_echoed(api: Any) -> None:
    card = "4111 1111 1111 1111"
    made = await api.create(MMM)
    answers = [
        await api.call("POST", "/records/organisation", json={"fields": {"name": card}}),
        await api.call("POST", "/records/person", json={"key": card, "fields": {"last_name": "x"}}),
        await api.patch(made, {"fields": {"headquarters": f"pay {card}"}}),
        await api.patch(made, {"key": card}),
    ]
    for answer, pointer in zip(
        answers, ["/fields/name", "/key", "/fields/headquarters", None], strict=True
    ):
        body = answer.json()
        assert (answer.status_code, body["type"]) == (422, "/problems/payment-data-refused")
        assert pointer is None or body["pointer"] == pointer
        assert "4111" not in answer.text


async def test_who_may_not_view_a_record_finds_nothing_whatever_else_is_granted(api: Any) -> None:
    made = await api.create(MMM)
    stranger = api.as_user(
        organisation_view=Scope.OWN,
        organisation_edit=Scope.ALL,
        organisation_delete=Scope.ALL,
    )
    path = f"/records/organisation/{made['id']}"
    assert (await stranger.call("GET", path)).status_code == 404
    assert (await stranger.patch(made, {"fields": {"name": "x"}})).status_code == 404
    answer = await stranger.call("DELETE", path, headers={"if-match": api.tag(1)})
    assert answer.status_code == 404


async def test_what_one_may_view_but_not_change_is_forbidden(api: Any) -> None:
    made = await api.create(MMM)
    reader = api.as_user(
        organisation_view=Scope.ALL, organisation_edit=Scope.OWN, organisation_delete=Scope.OWN
    )
    assert (await reader.patch(made, {"fields": {"name": "x"}})).status_code == 403
    path = f"/records/organisation/{made['id']}"
    assert (await reader.call("DELETE", path, headers={"if-match": api.tag(1)})).status_code == 403
    assert (await reader.call("POST", "/records/organisation", json={})).status_code == 403


async def test_giving_a_record_away_needs_the_right_to_assign(api: Any) -> None:
    writer = api.as_user(
        organisation_view=Scope.OWN, organisation_create=Scope.OWN, organisation_edit=Scope.OWN
    )
    mine = await writer.create(MMM)
    assert (await writer.patch(mine, {"responsible": str(uuid4())})).status_code == 403
    body = {"fields": {"name": "x"}, "responsible": str(uuid4())}
    assert (await writer.call("POST", "/records/organisation", json=body)).status_code == 403
    given = await api.patch(mine, {"responsible": str(api.user), "team": str(uuid4())})
    assert given.json()["responsible"] == str(api.user)
    path = f"/records/organisation/{mine['id']}"
    assert (await writer.call("GET", path)).status_code == 404


async def test_another_tenant_and_unknown_modules_are_not_found(api: Any) -> None:
    made = await api.create(MMM)
    headers = {"authorization": f"Bearer {api.of_tenant(uuid4()).token()}"}
    path = f"/t/{api.tenant}/v1/records/organisation/{made['id']}"
    assert (await api.raw("GET", path, headers=headers)).status_code == 404
    for module in ("nothing", "backup", "opportunity", "Organisation", "organisation%00"):
        assert (await api.call("GET", f"/records/{module}")).status_code == 404
        assert (await api.call("GET", f"/records/{module}/{made['id']}")).status_code == 404


async def test_a_record_is_found_under_its_own_module_only(api: Any) -> None:
    made = await api.create(MMM)
    wrong = made | {"module": "person"}
    assert (await api.call("GET", f"/records/person/{made['id']}")).status_code == 404
    assert (await api.patch(wrong, {"fields": {"title": "x"}})).status_code == 404
    refused = await api.call("POST", "/records/person/bulk-delete", json={"ids": [made["id"]]})
    assert refused.status_code == 422
    assert len(await api.listed()) == 1


async def test_modules_show_their_typed_fields_to_those_who_may_view_them(api: Any) -> None:
    modules = (await api.call("GET", "/modules")).json()["modules"]
    assert [module["module"] for module in modules] == ["organisation", "person"]
    fields = {field["field"]: field["kind"] for field in modules[0]["fields"]}
    assert (modules[0]["key_field"], fields["date_added"]) == ("symbol", "date")
    only = await api.as_user(person_view=Scope.OWN).call("GET", "/modules")
    assert [module["module"] for module in only.json()["modules"]] == ["person"]


async def test_waiting_in_vain_for_another_writer_is_a_conflict(api: Any, databases: Any) -> None:
    made = await api.create(MMM)
    async with databases.write(api.tenant, actor="user:other") as session:
        await session.execute("SELECT FROM record WHERE id = $1 FOR UPDATE", made["id"])
        answer = await api.patch(made, {"fields": {"name": "x"}})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
