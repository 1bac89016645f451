"""Headers that change in whose name a call is, and what looks at it."""

from typing import Any

import pytest

from tests.sandbox.conftest import Crm, error

ROW = "accounts(bulkhead_symbol='A')"
OTHER = "11111111-2222-3333-4444-555555555555"


def only(header: str, value: str) -> dict[str, Any]:
    return {header: value}


@pytest.mark.parametrize("header", ["CallerObjectId", "MSCRMCallerID"])
async def test_another_user_needs_a_privilege_and_who_wrote_is_kept(crm: Crm, header: str) -> None:
    me = (await crm.send("GET", "WhoAmI")).json()["UserId"]
    refused = await crm.send("PATCH", ROW, {"name": "n"}, **only(header, OTHER))
    assert error(refused)[:2] == (403, "0x80040220")
    assert "prvActOnBehalfOfAnotherUser" in error(refused)[2]
    crm.sim.switches.extra_privileges = ["prvActOnBehalfOfAnotherUser"]
    await crm.send("PATCH", ROW, {"name": "n"}, **only(header, OTHER))
    row = (await crm.send("GET", ROW)).json()
    assert (row["_createdby_value"], row["_createdonbehalfby_value"]) == (OTHER, me)
    await crm.send("PATCH", ROW, {"name": "m"})
    row = (await crm.send("GET", ROW)).json()
    assert (row["_modifiedby_value"], row["_modifiedonbehalfby_value"]) == (me, None)
    assert (await crm.send("PATCH", ROW, {}, **only(header, "nobody"))).status_code == 400


@pytest.mark.parametrize(
    ("header", "value", "privilege"),
    [
        ("MSCRM.BypassBusinessLogicExecution", "CustomSync", "prvBypassCustomBusinessLogic"),
        ("MSCRM.BypassBusinessLogicExecutionStepIds", OTHER, "prvBypassCustomBusinessLogic"),
        ("MSCRM.BypassCustomPluginExecution", "true", "prvBypassCustomPlugins"),
    ],
)
async def test_plug_ins_are_passed_by_only_with_the_privilege(
    crm: Crm, header: str, value: str, privilege: str
) -> None:
    crm.sim.add_fault(kind="refuse_row", table="accounts", times=None)
    refused = await crm.send("PATCH", ROW, {"name": "n"}, **only(header, value))
    assert error(refused)[:2] == (403, "0x80040220")
    crm.sim.switches.extra_privileges = [privilege]
    assert (await crm.send("PATCH", ROW, {"name": "n"}, **only(header, value))).status_code == 204
    assert error(await crm.send("PATCH", ROW, {"name": "n"}))[1] == "0x80040265"


async def test_no_more_than_three_steps_are_passed_by(crm: Crm) -> None:
    crm.sim.switches.extra_privileges = ["prvBypassCustomBusinessLogic"]
    header = only("MSCRM.BypassBusinessLogicExecutionStepIds", ",".join([OTHER] * 4))
    assert (await crm.send("PATCH", ROW, {"name": "n"}, **header)).status_code == 400


@pytest.mark.parametrize("status", [412, 500])
async def test_duplicate_rules_look_only_when_the_header_asks_for_it(crm: Crm, status: int) -> None:
    crm.sim.switches.duplicate_rules = {"accounts": ["name"]}
    crm.sim.switches.duplicate_status = status  # type: ignore[assignment]  # one of the two
    asked = only("MSCRM.SuppressDuplicateDetection", "false")
    await crm.send("PATCH", ROW, {"name": "Acme"})
    refused = await crm.send("POST", "accounts", {"name": "ACME "}, **asked)
    assert error(refused)[:2] == (status, "0x80040333")
    assert (await crm.send("PATCH", ROW, {"name": "acme"}, **asked)).status_code == 204
    assert (await crm.send("POST", "accounts", {"name": "other"}, **asked)).status_code == 204
    assert (await crm.send("POST", "accounts", {"name": "ACME"})).status_code == 204
