"""Each column type refuses what the real one refuses, and keeps what it takes as it keeps it."""

from typing import Any

import pytest

from tests.sandbox.conftest import Crm, error

ROW = "accounts(bulkhead_symbol='A')"
EMOJI = "\U0001f600"  # one character, two UTF-16 units


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("name", EMOJI * 80, EMOJI * 80),
        ("name", "", None),
        ("bulkhead_notes", "a\r\n\tb", "a\r\n\tb"),
        ("numberofemployees", 0, 0),
        ("bulkhead_shares", 2**62, 2**62),
        ("bulkhead_score", 1.00005, 1.0),
        ("bulkhead_score", -100, -100.0),
        ("revenue", 12.346, 12.35),
        ("bulkhead_weight", 1e-7, 0.0),
        ("bulkhead_ispublic", False, False),
        ("bulkhead_dateadded", "2024-02-29", "2024-02-29"),
        ("bulkhead_reviewedat", "2024-02-29T23:30:00.987654321+02:00", "2024-02-29T21:30:00Z"),
        ("bulkhead_closesat", "2024-02-29T23:30Z", "2024-02-29T23:30:00Z"),
        ("bulkhead_tier", 100000002, 100000002),
        ("bulkhead_regions", "3, 1,3", "1,3"),
        ("bulkhead_regions", "", None),
        *((name, None, None) for name in ("name", "revenue", "bulkhead_tier", "bulkhead_regions")),
    ],
)
async def test_a_value_is_kept_as_its_column_keeps_it(
    crm: Crm, column: str, value: Any, kept: Any
) -> None:
    answer = await crm.send("PATCH", ROW, {column: value})
    assert answer.status_code == 204, answer.text
    assert (await crm.send("GET", ROW)).json()[column] == kept


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("name", EMOJI * 80 + "x", "0x80044331"),
        ("name", "bell\x07", "0x80040278"),
        ("bulkhead_notes", "x" * 10_001, "0x80044331"),
        ("bulkhead_shares", 2**63, "0x80048d19"),
        ("bulkhead_shares", 1.5, "0x80048d19"),
        ("bulkhead_score", "1.5", "0x80048d19"),
        ("bulkhead_score", 100.001, "0x80044331"),
        ("bulkhead_score", True, "0x80048d19"),
        ("revenue", "12", "0x80048d19"),
        ("bulkhead_ispublic", "true", "0x80048d19"),
        ("bulkhead_dateadded", "1752-12-31", "0x80040239"),
        ("bulkhead_reviewedat", "2024-02-29T23:30:00", "0x80048d19"),
        ("bulkhead_reviewedat", "2024-02-29", "0x80048d19"),
        ("bulkhead_reviewedat", "2023-02-29T00:00:00Z", "0x80048d19"),
        ("bulkhead_reviewedat", "1700-01-01T00:00:00Z", "0x80040239"),
        ("bulkhead_reviewedat", "9999-12-31T23:59:59-02:00", "0x80048d19"),
        ("bulkhead_tier", "Gold", "0x80048d19"),
        ("bulkhead_tier", 1, "0x8004431a"),
        ("bulkhead_regions", "1,9", "0x8004431a"),
        ("bulkhead_regions", "Europe", "0x8004431a"),
        ("bulkhead_regions", [1], "0x80048d19"),
        ("parentaccountid", "00000000-0000-0000-0000-000000000001", "0x80048d19"),
        ("bulkhead_advisor", "x", "0x0"),
    ],
)
async def test_a_value_that_its_type_does_not_take_is_refused(
    crm: Crm, column: str, value: Any, code: str
) -> None:
    answer = await crm.send("PATCH", ROW, {column: value})
    assert error(answer)[:2] == (400, code)
    assert crm.sim.rows("accounts") == []


async def test_a_required_column_of_the_system_is_demanded_by_create_and_update(crm: Crm) -> None:
    path = "bulkhead_holdings(bulkhead_key='k')"
    for body in ({}, {"bulkhead_name": None}, {"bulkhead_name": ""}):
        assert error(await crm.send("PATCH", path, body))[:2] == (400, "0x80040203")
    assert (await crm.send("PATCH", path, {"bulkhead_name": "n"})).status_code == 204
    assert (await crm.send("PATCH", path, {"bulkhead_period": 1})).status_code == 204
    assert error(await crm.send("PATCH", path, {"bulkhead_name": None}))[1] == "0x80040203"
    assert (await crm.send("POST", "accounts", {})).status_code == 204  # name: application only


async def test_columns_of_create_only_and_of_update_only(crm: Crm) -> None:
    path = "bulkhead_holdings(bulkhead_key='k')"
    both = {"bulkhead_source": "s", "bulkhead_checkedby": "c", "bulkhead_name": "n"}
    await crm.send("PATCH", path, both)
    (row,) = crm.sim.rows("bulkhead_holdings")
    assert (row["bulkhead_source"], row.get("bulkhead_checkedby")) == ("s", None)
    await crm.send("PATCH", path, {**both, "bulkhead_source": "t"})
    (row,) = crm.sim.rows("bulkhead_holdings")
    assert (row["bulkhead_source"], row["bulkhead_checkedby"]) == ("s", "c")
    crm.sim.switches.read_only = "refuse"
    assert (await crm.send("PATCH", path, both)).status_code == 400


async def test_a_lookup_can_be_part_of_a_key(crm: Crm) -> None:
    await crm.send("PATCH", ROW, {"name": "n"})
    account = crm.sim.rows("accounts")[0]["accountid"]
    path = f"bulkhead_holdings(_bulkhead_account_value={account},bulkhead_period=7)"
    for name in ("one", "two"):
        assert (await crm.send("PATCH", path, {"bulkhead_name": name})).status_code == 204
    (row,) = crm.sim.rows("bulkhead_holdings")
    assert (row["bulkhead_account"], row["bulkhead_name"]) == (account, "two")
    gone = path.replace(account, "00000000-0000-0000-0000-000000000001")
    assert error(await crm.send("PATCH", gone, {"bulkhead_name": "n"}))[:2] == (404, "0x80040217")


async def test_a_navigation_property_of_ones_own_has_its_own_case(crm: Crm) -> None:
    await crm.send("PATCH", "contacts(bulkhead_key='c')", {"lastname": "n"})
    bind = "contacts(bulkhead_key='C')"
    for name, status in (("bulkhead_Advisor", 204), ("bulkhead_advisor", 400)):
        answer = await crm.send("PATCH", ROW, {f"{name}@odata.bind": bind})
        assert answer.status_code == status
    assert crm.sim.rows("accounts")[0]["bulkhead_advisor"]
    missing = {"bulkhead_Advisor@odata.bind": "contacts(bulkhead_key='no')"}
    assert error(await crm.send("PATCH", ROW, missing))[:2] == (404, "0x80060891")


async def test_deactivation_brings_the_status_along_and_foreign_statuses_are_refused(
    crm: Crm,
) -> None:
    await crm.send("PATCH", ROW, {"name": "n"})
    for body, pair in (
        ({"statecode": 1}, (1, 2)),
        ({"name": "m"}, (1, 2)),
        ({"statecode": 0, "statuscode": 1}, (0, 1)),
        ({"statuscode": 1}, (0, 1)),
    ):
        assert (await crm.send("PATCH", ROW, body)).status_code == 204
        row = crm.sim.rows("accounts")[0]
        assert (row["statecode"], row["statuscode"]) == pair
    for body in ({"statuscode": 2}, {"statecode": 1, "statuscode": 1}):
        assert error(await crm.send("PATCH", ROW, body))[:2] == (400, "0x80048408")
    active = "accounts?$filter=statecode%20eq%200"
    assert len((await crm.send("GET", active)).json()["value"]) == 1
