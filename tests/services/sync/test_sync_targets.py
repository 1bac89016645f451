"""What a mapping goes into: asked of the CRM type by type, and why it cannot work."""

from typing import Any

import pytest

from contracts.ids import ConnectionId, new_id
from services.sync.crm.dataverse.target import DataverseTarget
from services.sync.crm.dataverse.targets import Targets
from services.sync.crm.verdict import Meaning, Verdict
from tests.services.sync.answering import CONNECTION
from tests.services.sync.recording import RecordingLedger
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.typed_crm import alter, asking, mapping, target

PARENT = {"table": "accounts", "key_attribute": "bulkhead_symbol"}
BY_NO_KEY = {"table": "contacts", "key_attribute": "x"}
PERSON = {"table": "contacts", "key": "bulkhead_key"}


async def test_one_question_is_asked_for_each_type_in_use(simulator: SimulatedCrm) -> None:
    ledger = RecordingLedger()
    wanted = mapping(
        name="name",
        city="address1_city",
        size="numberofemployees",
        revenue="revenue",
        industry="industrycode",
        added="bulkhead_dateadded",
        silent="donotemail",
    )
    async with asking(simulator, ledger=ledger) as crm:
        found = await crm.target(wanted)
    assert isinstance(found, DataverseTarget)
    assert found.faults == []
    assert [call.operation for call, _ in ledger.lines] == [
        "token",
        "describe-table",
        "describe-columns",
        *["describe-types"] * 5,
    ]
    assert all(call.rows == 0 and not call.fields for call, _ in ledger.lines)


async def test_values_are_written_as_the_columns_take_them(simulator: SimulatedCrm) -> None:
    wanted = mapping(
        **PERSON,
        name="lastname",
        born="birthdate",
        employer={"column": "parentcustomerid", "lookup": PARENT},
    )
    found = await target(simulator, wanted)
    assert found.faults == []
    given = {"lastname": "Øre", "birthdate": "1980-02-29", "parentcustomerid": "O'Neil é"}
    assert found.convert(given).values.keys() == given.keys()
    assert found.members(found.convert(given).values) == {
        "lastname": "Øre",
        "birthdate": "1980-02-29",
        "parentcustomerid_account@odata.bind": "accounts(bulkhead_symbol='O''Neil%20%C3%A9')",
    }
    cleared = found.convert({"parentcustomerid": None, "lastname": None})
    assert found.members({**cleared.values, "withdrawn": None}) == {
        "parentcustomerid_account@odata.bind": None,
        "lastname": None,
        "withdrawn": None,
    }


@pytest.mark.parametrize(
    ("values", "problem", "column"),
    [
        ({"name": "x" * 161}, "column 'name': the value has more than 160 UTF-16 units", "name"),
        (
            {"name": "x", "industrycode": "Piracy"},
            "column 'industrycode': the value is not one of the column's options",
            "industrycode",
        ),
        (
            {"primarycontactid": "a/b"},
            "column 'primarycontactid': the value cannot be the key of a row in Dataverse",
            "primarycontactid",
        ),
        (
            {"primarycontactid": True},
            "column 'primarycontactid': the value is no key of a row",
            "primarycontactid",
        ),
        ({"telephone1": "1"}, "the column 'telephone1' cannot be written", "telephone1"),
        (
            {"revenue": "-1"},
            "column 'revenue': the value is not in the column's range",
            "revenue",
        ),
    ],
)
async def test_a_value_that_does_not_fit_is_said_by_column_and_rule(
    simulator: SimulatedCrm, values: dict[str, Any], problem: str, column: str
) -> None:
    lookup = {"table": "contacts", "key_attribute": "bulkhead_key"}
    wanted = mapping(
        name="name",
        industry="industrycode",
        revenue="revenue",
        chief={"column": "primarycontactid", "lookup": lookup},
    )
    found = (await target(simulator, wanted)).convert(values)
    assert (found.values, found.problem, found.column) == ({}, problem, column)


async def test_an_empty_value_is_refused_where_the_crm_requires_one(
    simulator: SimulatedCrm,
) -> None:
    alter(simulator, "accounts", name={"required": "system"})
    found = await target(simulator, mapping(name="name", city="address1_city"))
    assert found.convert({"name": None}).problem == "column 'name': the CRM requires a value"
    assert found.convert({"address1_city": None}).values == {"address1_city": None}


async def test_a_key_is_as_long_as_its_column(simulator: SimulatedCrm) -> None:
    found = await target(simulator, mapping(name="name"))
    assert found.key_problem("\U0001f600" * 10) is None
    assert found.key_problem("\U0001f600" * 10 + "x") == (
        "the record's key has more than the 20 UTF-16 units of the key column"
    )
    assert found.key_problem("a/b") is not None


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a column that is not there": (
        {"a": "nombre"},
        "the table 'accounts' has no column 'nombre'",
    ),
    "a column in another case": ({"a": "Name"}, "the table 'accounts' has no column 'Name'"),
    "a column that the CRM fills": ({"a": "createdon"}, "the column 'createdon' cannot be written"),
    "a lookup without its table": (
        {"a": "primarycontactid"},
        "the column 'primarycontactid' is a lookup: its mapping has to name the table that it"
        " refers to and an alternate key of it",
    ),
    "a lookup to another table": (
        {"a": {"column": "primarycontactid", "lookup": PARENT}},
        "the column 'primarycontactid' does not refer to the table 'accounts'",
    ),
    "a lookup to a table that is not there": (
        {"a": {"column": "primarycontactid", "lookup": PARENT | {"table": "nowhere"}}},
        "the CRM has no table 'nowhere'",
    ),
    "a lookup by no key": (
        {
            "a": {
                "column": "primarycontactid",
                "lookup": {"table": "contacts", "key_attribute": "x"},
            }
        },
        "'x' is not an alternate key of 'contacts'",
    ),
    "a lookup of a text": (
        {"a": {"column": "name", "lookup": PARENT}},
        "the column 'name' is no lookup",
    ),
    "choices of a text": (
        {"a": {"column": "name", "choices": {"Energy": 1}}},
        "the column 'name' is no choice; its mapping may not have any",
    ),
    "a choice that is not there": (
        {"a": {"column": "industrycode", "choices": {"Energy": 100000001}}},
        "the column 'industrycode' has no option 100000001",
    ),
    "a truth of three": (
        {"a": {"column": "donotemail", "choices": {"Perhaps": 2}}},
        "the column 'donotemail' has no option 2",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_mapping_that_cannot_work_is_said_by_the_probe(
    simulator: SimulatedCrm, case: str
) -> None:
    fields, fault = CASES[case]
    wanted = mapping(city="address1_city", **fields)
    async with asking(simulator, wanted) as crm:
        found = await crm.target(wanted)
        assert isinstance(found, DataverseTarget)
        assert list(found.faults) == [fault]
        assert await crm.examine(wanted) == Verdict(Meaning.BROKEN, fault)
        probed = await crm.probe()
    assert probed.failed is not None
    assert probed.failed.reason == fault


async def test_a_key_that_is_no_text_cannot_be_filled(simulator: SimulatedCrm) -> None:
    alter(simulator, "accounts", bulkhead_symbol={"type": "integer", "max_length": None})
    found = await target(simulator, mapping(name="name"))
    assert list(found.faults) == ["the key column 'bulkhead_symbol' is no text column"]
    child = mapping(**PERSON, employer={"column": "parentcustomerid", "lookup": PARENT})
    assert list((await target(simulator, child)).faults) == [
        "the key column 'bulkhead_symbol' of 'accounts' is no text column"
    ]


async def test_a_column_that_the_crm_requires_has_to_be_filled(simulator: SimulatedCrm) -> None:
    alter(simulator, "accounts", telephone1={"required": "system"})
    found = await target(simulator, mapping(name="name"))
    assert list(found.faults) == [
        "the CRM requires the column 'telephone1', which no field goes into"
    ]
    assert (await target(simulator, mapping(name="name", phone="telephone1"))).faults == []


async def test_a_description_is_asked_for_once_until_it_is_forgotten(
    simulator: SimulatedCrm,
) -> None:
    wanted = mapping(name="name")
    async with asking(simulator) as crm:
        first = await crm.target(wanted)
        asked = len(simulator.requests())
        assert await crm.target(wanted) is first
        assert len(simulator.requests()) == asked
        assert await crm.target(mapping(name="telephone1")) is not first
        crm.forget_targets()
        assert await crm.target(wanted) is not first
    async with asking(simulator) as crm:
        missing = await crm.target(mapping(table="nowhere", name="name"))
    assert missing == Verdict(Meaning.BROKEN, "the CRM has no table 'nowhere'")


async def test_a_description_lives_for_minutes_and_a_fault_not_at_all(
    simulator: SimulatedCrm,
) -> None:
    now, asked = [0.0], 0
    targets, connection = Targets(lambda: now[0]), CONNECTION.crm
    good = await target(simulator, mapping(name="name"))
    bad = await target(simulator, mapping(name="nombre"))

    async def ask(one: DataverseTarget) -> DataverseTarget:
        nonlocal asked
        asked += 1
        return one

    for moment, one, expected in ((0, good, 1), (599, good, 1), (601, good, 2), (602, bad, 3)):
        now[0] = moment
        await targets.of(connection, one.mapping, lambda one=one: ask(one))  # type: ignore[misc]
        assert asked == expected
    await targets.of(connection, bad.mapping, lambda: ask(bad))
    assert asked == 4


async def test_what_is_remembered_has_a_bound(simulator: SimulatedCrm) -> None:
    targets, one = Targets(), await target(simulator, mapping(name="name"))

    async def ask() -> DataverseTarget:
        return one

    for _ in range(600):
        await targets.of((ConnectionId(new_id()), CONNECTION.address), one.mapping, ask)
    assert len(targets) == 500


async def test_a_crm_that_does_not_describe_is_no_reason_to_guess(simulator: SimulatedCrm) -> None:
    simulator.add_fault(kind="status", status=403, path="Attributes", times=5)
    async with asking(simulator) as crm:
        found = await crm.target(mapping(name="name"))
    assert isinstance(found, Verdict)
    told = (found.meaning, found.reason)
    assert told == (Meaning.BACK_OFF, "the CRM answered with status 403")
