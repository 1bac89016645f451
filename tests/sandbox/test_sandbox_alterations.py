"""An administrator is at work while a client is: tables, rows, users and rights change."""

from typing import Any

import pytest

from sandbox.certificates import Authority
from sandbox.dataverse import DataverseSimulator, schema
from sandbox.dataverse.counting import operation
from tests.sandbox.conftest import Crm, error, part

ROW = "accounts(bulkhead_symbol='A')"
CONTINUE = {"Prefer": "odata.continue-on-error"}


def column(name: str) -> str:
    return f"EntityDefinitions(LogicalName='account')/Attributes(LogicalName='{name}')"


async def version(crm: Crm) -> int:
    preference = 'odata.include-annotations="*"'
    answer = await crm.send("GET", "accounts?$select=name&$top=1", Prefer=preference)
    return int(answer.json()["@Microsoft.Dynamics.CRM.globalmetadataversion"])


async def test_a_dropped_column_is_unknown_and_its_values_are_gone(crm: Crm) -> None:
    await crm.send("PATCH", ROW, {"name": "n", "bulkhead_sector": "s"})
    before = await version(crm)
    crm.sim.alter.drop_column("accounts", "bulkhead_sector")
    assert error(await crm.send("PATCH", ROW, {"bulkhead_sector": "s"}))[:2] == (400, "0x0")
    assert (await crm.send("GET", column("bulkhead_sector"))).status_code == 404
    assert await version(crm) > before
    crm.sim.alter.add_column("accounts", name="bulkhead_sector", type="string", max_length=5)
    row = (await crm.send("GET", ROW)).json()
    assert (row["name"], row["bulkhead_sector"]) == ("n", None)
    too_long = await crm.send("PATCH", ROW, {"bulkhead_sector": "longer"})
    assert error(too_long)[1] == "0x80044331"
    assert (await crm.send("GET", column("bulkhead_sector"))).status_code == 200


async def test_a_column_shrinks_and_an_option_goes(crm: Crm) -> None:
    await crm.send("PATCH", ROW, {"name": "a long name", "bulkhead_tier": 100000000})
    before = await version(crm)
    crm.sim.alter.change_column("accounts", "name", max_length=5)
    crm.sim.alter.remove_option("accounts", "bulkhead_tier", "Gold")
    assert await version(crm) == before + 2
    assert error(await crm.send("PATCH", ROW, {"name": "a long name"}))[1] == "0x80044331"
    assert error(await crm.send("PATCH", ROW, {"bulkhead_tier": 100000000}))[1] == "0x8004431a"
    row = crm.sim.rows("accounts")[0]
    assert (row["name"], row["bulkhead_tier"]) == ("a long name", 100000000)


@pytest.mark.parametrize(
    ("deed", "arguments"),
    [
        ("drop_column", {"table": "accounts", "name": "bulkhead_symbol"}),
        ("drop_column", {"table": "accounts", "name": "none"}),
        ("drop_column", {"table": "none", "name": "name"}),
        ("change_column", {"table": "accounts", "name": "name", "type": "memo"}),
        ("remove_option", {"table": "accounts", "name": "bulkhead_tier", "label": "Tin"}),
        ("change_table", {"table": "accounts", "bulk_actions": ["DeleteMultiple"]}),
        ("change_table", {"table": "accounts", "keys": []}),
    ],
)
def test_a_change_that_cannot_be_is_refused(crm: Crm, deed: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        getattr(crm.sim.alter, deed)(**arguments)


async def test_a_table_loses_its_bulk_actions_and_then_itself(crm: Crm) -> None:
    target = {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "n"}
    path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple"
    crm.sim.alter.change_table("accounts", bulk_actions=["UpdateMultiple"])
    assert (await crm.send("POST", path, {"Targets": [target]})).status_code == 404
    upsert = path.replace("Create", "Upsert")
    assert (await crm.send("POST", upsert, {"Targets": [target]})).status_code == 404
    await crm.send("PATCH", ROW, {"name": "n"})
    crm.sim.alter.drop_table("accounts")
    missing = await crm.send("PATCH", ROW, {"name": "n"})
    assert error(missing)[:2] == (404, "0x8006088a")
    tables = (await crm.send("GET", "EntityDefinitions?$select=LogicalName")).json()["value"]
    assert "account" not in [table["LogicalName"] for table in tables]
    crm.sim.simulation.reset()
    assert crm.sim.rows("accounts") == []


async def test_an_index_that_is_not_ready_is_told_and_cannot_be_used(crm: Crm) -> None:
    crm.sim.switches.inactive_keys.append("bulkhead_symbol_key")
    crm.sim.switches.inactive_key_status = "InProgress"
    path = "EntityDefinitions(LogicalName='account')/Keys?$select=EntityKeyIndexStatus"
    states = [k["EntityKeyIndexStatus"] for k in (await crm.send("GET", path)).json()["value"]]
    assert states == ["InProgress", "Active"]
    assert (await crm.send("PATCH", ROW, {"name": "n"})).status_code == 400


async def test_rows_are_deleted_behind_the_client_and_an_environment_is_restored(crm: Crm) -> None:
    for key in "ABC":
        path = f"accounts(bulkhead_symbol='{key}')"
        await crm.send("PATCH", path, {"name": key, "bulkhead_sector": "s" if key != "C" else "t"})
    then = crm.sim.rows("accounts")
    number = crm.sim.simulation.take_snapshot()
    assert crm.sim.alter.delete_rows("accounts", bulkhead_sector="s") == 2
    assert [row["name"] for row in crm.sim.rows("accounts")] == ["C"]
    await crm.send("PATCH", "accounts(bulkhead_symbol='C')", {"bulkhead_symbol": "ignored"})
    row_id = crm.sim.rows("accounts")[0]["accountid"]
    await crm.send("PATCH", f"accounts({row_id})", {"bulkhead_symbol": "A", "name": "moved"})
    await crm.send("PATCH", "accounts(bulkhead_symbol='new')", {"name": "new"})
    crm.sim.simulation.restore(number)
    assert sorted(crm.sim.rows("accounts"), key=lambda r: r["name"]) == then
    for row in then:
        found = (await crm.send("GET", f"accounts(bulkhead_symbol='{row['name']}')")).json()
        assert found["accountid"] == row["accountid"]
    assert (await crm.send("GET", "accounts(bulkhead_symbol='new')")).status_code == 404


USERS = {
    "disabled": "0x80040225",
    "unlicensed": "0x8004d24b",
    "without_roles": "0x80042f09",
    "not_a_member": "0x80072560",
}


@pytest.mark.parametrize(("state", "code"), USERS.items())
async def test_a_user_who_may_not_work_is_refused_at_the_door_or_in_each_part(
    crm: Crm, state: Any, code: str
) -> None:
    crm.sim.switches.user = state
    upsert = part("PATCH", f"/api/data/v9.2/{ROW}", {"name": "n"})
    assert error(await crm.send("GET", "WhoAmI"))[:2] == (403, code)
    assert error(await crm.batch([upsert], **CONTINUE))[:2] == (403, code)
    crm.sim.switches.user_refused_in = "part"
    answer = await crm.batch([upsert] * 2, **CONTINUE)
    assert (answer.status_code, answer.text.count("HTTP/1.1 403 ")) == (200, 2)
    assert answer.text.count(code) == 2
    assert crm.sim.rows("accounts") == []


async def test_each_deed_needs_its_privilege(crm: Crm) -> None:
    await crm.send("PATCH", "contacts(bulkhead_key='c')", {"lastname": "n"})
    await crm.send("PATCH", ROW, {"name": "n"})
    bind = {"bulkhead_Advisor@odata.bind": "contacts(bulkhead_key='c')"}
    select: dict[str, Any] = {"Prefer": "return=representation"}
    for privilege, method, path, body, headers in (
        ("prvCreateAccount", "PATCH", "accounts(bulkhead_symbol='B')", {"name": "n"}, {}),
        ("prvCreateAccount", "POST", "accounts", {"name": "n"}, {}),
        ("prvWriteAccount", "PATCH", ROW, {"name": "n"}, {}),
        ("prvDeleteAccount", "DELETE", ROW, None, {}),
        ("prvReadAccount", "GET", ROW, None, {}),
        ("prvReadAccount", "GET", "accounts?$select=name", None, {}),
        ("prvReadAccount", "GET", "accounts/$count", None, {}),
        ("prvReadAccount", "PATCH", ROW, {"name": "n"}, select),
        ("prvAppendAccount", "PATCH", ROW, bind, {}),
        ("prvAppendToContact", "PATCH", ROW, bind, {}),
    ):
        crm.sim.switches.missing_privileges = [privilege]
        refused = await crm.send(method, path, body, **headers)
        assert error(refused)[:2] == (403, "0x80040220"), privilege
        assert privilege.lower() in error(refused)[2].lower()
        crm.sim.switches.missing_privileges = []
        assert (await crm.send("GET", ROW)).status_code == 200, privilege


async def test_a_refused_write_of_a_representation_has_still_been_done(crm: Crm) -> None:
    """(assumed) the write needs no right to read: what is refused is to show the row."""
    crm.sim.switches.missing_privileges = ["prvReadAccount"]
    answer = await crm.send("PATCH", ROW, {"name": "n"}, Prefer="return=representation")
    assert answer.status_code == 403
    assert len(crm.sim.rows("accounts")) == 1


async def test_counters_add_up_what_came_and_went(crm: Crm) -> None:
    crm.sim.simulation.counters.clear()
    sent = got = 0
    for key in "AB":
        path = f"accounts(bulkhead_symbol='{key}')"
        answer = await crm.send("PATCH", path, {"name": key}, Prefer="return=representation")
        sent, got = sent + len(answer.request.content), got + len(answer.content)
    await crm.batch([part("GET", "/api/data/v9.2/WhoAmI")])
    sums = crm.sim.counters()
    assert sums["PATCH accounts()"] == {
        "calls": 2,
        "request_bytes": sent,
        "response_bytes": got,
        "statuses": {"201": 2},
    }
    assert sums["POST $batch"]["calls"] == 1
    crm.sim.add_fault(kind="lost_reply")
    with pytest.raises(Exception, match="disconnected"):
        await crm.send("GET", "WhoAmI")
    lost = crm.sim.counters()["GET WhoAmI"]
    assert (lost["calls"], lost["statuses"], lost["response_bytes"]) == (1, {}, 0)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/api/data/v9.2/accounts(bulkhead_symbol='O''B)')/name?$select=x", "GET accounts()/name"),
        (
            "/api/data/v9.2/accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
            "GET accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
        ),
        ("/directory/oauth2/v2.0/token", "GET token"),
        ("/elsewhere", "GET other"),
        ("/api/data/v9.2/%ff" + "('" * 10_000, "GET other"),
    ],
)
def test_operations_are_few(target: str, name: str) -> None:
    assert operation("GET", target) == name


async def test_what_changes_in_one_simulator_stays_as_it_was_in_another(
    authority: Authority,
) -> None:
    described = schema.load()
    async with (
        DataverseSimulator.serve(authority=authority, tables=described) as one,
        DataverseSimulator.serve(authority=authority, tables=described) as other,
    ):
        one.alter.drop_table("accounts")
        assert "accounts" in other.simulation.organisation.schema.tables
        assert "accounts" in described.tables
