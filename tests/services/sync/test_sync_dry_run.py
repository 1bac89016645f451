"""A dry run says what a push would do, and nothing but keys leaves for it."""

from typing import Any

import pytest
from sqlalchemy import text

from contracts.ids import TenantId, new_id
from tests.services.sync.running_sync import Sync
from tests.services.sync.typed_crm import alter

MAPPING = {
    "table": "accounts",
    "key_attribute": "bulkhead_symbol",
    "fields": {
        "name": "name",
        "sector": {"column": "industrycode", "choices": {"Energy": 4}},
    },
}
LONG = "x" * 161


async def paused(sync: Sync, **changes: Any) -> str:
    sync.peer.choice = {}
    connection = await sync.connect(modules={"organisation": MAPPING}, **changes)
    assert (await sync.http.post(f"{sync.path}/{connection}/pause")).status_code == 204
    sync.peer.choice = {"organisation": ["name", "sector"]}
    return connection


async def dry_run(sync: Sync, connection: str, **wanted: Any) -> dict[str, Any]:
    answer = await sync.http.post(f"{sync.path}/{connection}/dry-run", json=wanted)
    assert answer.status_code == 200, answer.text
    (module,) = answer.json()["modules"]
    found: dict[str, Any] = module
    return found


def rows(found: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    return {
        (one["key"], one["would"], ",".join(one["columns"]), one["reason"]) for one in found["rows"]
    }


def put_in_the_crm(sync: Sync, key: str) -> None:
    organisation = sync.simulator.simulation.organisation
    table = organisation.schema.tables["accounts"]
    with organisation.rows.transaction():
        row = {"bulkhead_symbol": key, "name": "There"}
        organisation.rows.insert(table, str(new_id()), row, {"user": None, "for": None})


async def test_what_would_be_made_changed_and_refused_is_said_before_anything_is_sent(
    sync: Sync,
) -> None:
    connection = await paused(sync)
    put_in_the_crm(sync, "OLD")
    sync.peer.put("NEW", name="New", sector="Energy")
    sync.peer.put("old", name="Old")  # the CRM's own equality of keys
    sync.peer.put("LONG", name=LONG)
    sync.peer.put("ODD", name="Odd", sector="Piracy")
    sync.peer.put("a/b", name="Slash")
    sync.peer.put("EMPTY")
    found = await dry_run(sync, connection)
    counts = {name: found[name] for name in ("create", "change", "unchanged", "refuse")}
    assert counts == {"create": 1, "change": 1, "unchanged": 1, "refuse": 3}
    no_option = "column 'industrycode': the value is not one of the column's options"
    assert rows(found) == {
        ("NEW", "create", "industrycode,name", ""),
        ("old", "change", "name", ""),
        ("LONG", "refuse", "name", "column 'name': the value has more than 160 UTF-16 units"),
        ("ODD", "refuse", "industrycode", no_option),
        (
            "a/b",
            "refuse",
            "",
            "the record's key holds one of / < > * % & : \\ ? + which Dataverse refuses in keys",
        ),
    }
    assert [one["name"] for one in sync.simulator.rows("accounts")] == ["There"]
    assert (await sync.get(f"/{connection}"))["outcomes"] == {}


async def test_of_a_row_that_is_known_only_what_differs_would_be_changed(sync: Sync) -> None:
    """Also where the change itself was not read yet, because the connection is paused."""
    sync.peer.choice = {"organisation": ["name", "sector"]}
    for key in ("MOVED", "TOUCHED"):
        sync.peer.put(key, name=key, sector="Energy")
    connection = await sync.connect(modules={"organisation": MAPPING})
    await sync.settled(connection, ok=2)
    assert (await sync.http.post(f"{sync.path}/{connection}/pause")).status_code == 204
    sync.peer.put("MOVED", name="Elsewhere", sector="Energy")
    sync.peer.put("TOUCHED", name="TOUCHED", sector="Energy")
    before = len(sync.simulator.requests())
    found = await dry_run(sync, connection)
    assert rows(found) == {("MOVED", "change", "name", "")}
    assert (found["create"], found["change"], found["unchanged"]) == (0, 1, 1)
    asked = [str(request.target) for request in sync.simulator.requests()[before:]]
    assert not [one for one in asked if "MOVED" in one or "TOUCHED" in one]


async def test_only_the_keys_of_what_would_be_written_leave_and_the_ledger_says_so(
    sync: Sync,
) -> None:
    connection = await paused(sync)
    sync.peer.put("NEW", name="SECRET", sector="Energy")
    sync.peer.put("LONG", name=LONG)
    before = len((await sync.get(f"/{connection}/ledger"))["calls"])
    await dry_run(sync, connection)
    calls = (await sync.get(f"/{connection}/ledger"))["calls"]
    told = [one for one in calls[: len(calls) - before] if one["rows"] or one["fields"]]
    assert [(one["fields"], one["rows"]) for one in told] == [(["bulkhead_symbol"], 1)]
    bodies = [str((request.target, request.body)) for request in sync.simulator.requests()]
    assert not [one for one in bodies if "SECRET" in one or "LONG" in one]


async def test_a_fault_of_the_mapping_is_the_whole_answer(sync: Sync) -> None:
    connection = await paused(sync)
    sync.peer.put("NEW", name="New")
    alter(sync.simulator, "accounts", name=None)
    assert (await sync.http.post(f"{sync.path}/{connection}/test")).json()["ok"] is False
    found = await dry_run(sync, connection, module="organisation")
    assert found["faults"] == ["the table 'accounts' has no column 'name'"]
    assert found["rows"] == []


async def test_a_dry_run_has_a_bound_and_shows_the_first_of_each_sort(sync: Sync) -> None:
    connection = await paused(sync)
    for number in range(40):
        sync.peer.put(f"K{number}", name=f"Name {number}")
    found = await dry_run(sync, connection, limit=30)
    assert (found["create"], len(found["rows"])) == (30, 20)
    assert (await dry_run(sync, connection))["create"] == 40


async def test_who_asks_for_what_is_not_there_is_told(sync: Sync) -> None:
    connection = await paused(sync)
    path = f"{sync.path}/{connection}/dry-run"
    assert (await sync.http.post(path, json={"module": "person"})).status_code == 404
    assert (await sync.http.post(path, json={"limit": 501})).status_code == 422
    sync.peer.others.add(other := TenantId(new_id()))
    async with sync.as_user(other) as stranger:
        answer = await stranger.post(path.replace(str(sync.tenant), str(other)), json={})
        assert answer.status_code == 404
    sync.simulator.add_fault(kind="status", status=500, path="batch", times=9)
    sync.peer.put("NEW", name="New")
    answer = await sync.http.post(path, json={})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "the CRM answered with status 500"


@pytest.mark.parametrize("policy", ["delete", "deactivate", "keep"])
@pytest.mark.parametrize("is_read", [True, False])
async def test_rows_that_would_go_by_the_policy_are_counted_and_shown(
    sync: Sync, policy: str, is_read: bool
) -> None:
    """Also where the deletion itself was not read yet; the CRM is asked nothing of them."""
    sync.peer.choice = {"organisation": ["name", "sector"]}
    kept = sync.peer.put("KEPT", name="Kept")
    gone = [sync.peer.put(f"K{number}", name="Gone") for number in range(22)]
    modules = {"organisation": MAPPING | {"deletions": policy}}
    connection = await sync.connect(modules=modules)
    await sync.settled(connection, ok=23)
    if is_read:
        async with sync.parts.db.write() as session:
            held = "UPDATE connection SET retry_at = now() + interval '1 day'"
            marked = "UPDATE outgoing SET state = 'pending'"
            await session.run(text(held))
            await session.run(text(marked))
    else:
        assert (await sync.http.post(f"{sync.path}/{connection}/pause")).status_code == 204
    for record in gone:
        sync.peer.delete(record)
    sync.peer.delete(sync.peer.put("NEVER", name="Sent"))
    sync.peer.put("KEPT", id_=kept, name="Changed")
    before = len(sync.simulator.requests())
    found = await dry_run(sync, connection)
    expected = {"change": 1, "delete": 0, "deactivate": 0, "refuse": 0} | (
        {} if policy == "keep" else {policy: 22}
    )
    assert {name: found[name] for name in expected} == expected
    shown = [one for one in found["rows"] if one["would"] == policy]
    assert len(shown) == (0 if policy == "keep" else 20)  # the first of the sort
    assert {(one["key"], one["record"]) for one in shown} <= {
        (f"K{number}", str(record)) for number, record in enumerate(gone)
    }
    asked = [str(request.body) for request in sync.simulator.requests()[before:]]
    assert not [one for one in asked if "K1" in one]
    assert len(sync.simulator.records()) == 23


async def test_where_a_module_is_withdrawn_no_row_would_go(sync: Sync) -> None:
    sync.peer.choice = {"organisation": ["name", "sector"]}
    sync.peer.fill(2)
    modules = {"organisation": MAPPING | {"deletions": "delete"}}
    connection = await sync.connect(modules=modules)
    await sync.settled(connection, ok=2)
    assert (await sync.http.post(f"{sync.path}/{connection}/pause")).status_code == 204
    async with sync.parts.db.write() as session:
        await session.run(text("UPDATE outgoing SET state = 'pending'"))
    sync.peer.choice = {}
    found = await dry_run(sync, connection)
    assert (found["delete"], found["rows"]) == (0, [])


async def test_a_column_that_would_be_cleared_is_a_change(sync: Sync) -> None:
    sync.peer.choice = {"organisation": ["name", "sector"]}
    sync.peer.put("A", name="One", sector="Energy")
    modules = {"organisation": MAPPING | {"withdrawn": "clear"}}
    connection = await sync.connect(modules=modules)
    await sync.settled(connection, ok=1)
    assert (await sync.http.post(f"{sync.path}/{connection}/pause")).status_code == 204
    sync.peer.choice = {"organisation": ["name"]}
    found = await dry_run(sync, connection)
    assert rows(found) == {("A", "change", "industrycode", "")}
