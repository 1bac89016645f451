"""A mapping says what a column needs beside its name; mappings of before go on as they are."""

from typing import Any

import pytest

from services.sync.connection import ModuleMapping, ParentKey
from services.sync.schemas import FieldMapping, Mapping
from tests.services.sync.running_sync import Sync

PARENT = {"table": "accounts", "key_attribute": "bulkhead_symbol"}
CHOICES = {"Energy": 4, "Money": 16}
ORGANISATION = {
    "table": "accounts",
    "key_attribute": "bulkhead_symbol",
    "fields": {"name": "name", "industry": {"column": "industrycode", "choices": CHOICES}},
}
PERSON = {
    "table": "contacts",
    "key_attribute": "bulkhead_key",
    "fields": {"employer": {"column": "parentcustomerid", "lookup": PARENT}},
}


async def test_a_mapping_is_shown_as_it_was_given(sync: Sync) -> None:
    modules = {"organisation": ORGANISATION, "person": PERSON}
    connection = await sync.connect(modules=modules)
    shown = (await sync.get(f"/{connection}"))["modules"]
    assert shown["organisation"]["fields"]["name"] == "name"
    industry = shown["organisation"]["fields"]["industry"]
    assert industry == {"column": "industrycode", "choices": CHOICES, "lookup": None}
    employer = shown["person"]["fields"]["employer"]
    assert employer == {"column": "parentcustomerid", "choices": {}, "lookup": PARENT}


def test_a_stored_mapping_of_before_is_read() -> None:
    old = {"table": "a", "key_attribute": "k", "fields": {"name": "n"}}
    assert ModuleMapping.stored(old) == ModuleMapping("a", "k", {"name": "n"})
    given = Mapping.model_validate(PERSON)
    assert isinstance(given.fields["employer"], FieldMapping)
    assert given.value().lookups == {"parentcustomerid": ParentKey(**PARENT)}
    assert given.value().fields == {"employer": "parentcustomerid"}


def with_fields(**fields: Any) -> dict[str, Any]:
    return {"organisation": ORGANISATION | {"fields": fields}}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two fields into one column": (
        with_fields(a="name", b={"column": "name"}),
        "two fields go into the same column",
    ),
    "the key column": (with_fields(a={"column": "bulkhead_symbol"}), "the key column is filled"),
    "a circle": (
        {
            "organisation": ORGANISATION
            | {
                "fields": {
                    "chief": {
                        "column": "primarycontactid",
                        "lookup": {"table": "contacts", "key_attribute": "bulkhead_key"},
                    }
                }
            },
            "person": PERSON,
        },
        "modules look each other up (organisation, person)",
    ),
    "a number that no option has": (
        with_fields(a={"column": "industrycode", "choices": {"x": 2**31}}),
        "choices",
    ),
    "a truth as a number": (
        with_fields(a={"column": "industrycode", "choices": {"x": True}}),
        "choices",
    ),
    "too many choices": (
        with_fields(a={"column": "c", "choices": {str(n): n for n in range(501)}}),
        "at most 500",
    ),
    "an unknown member": (with_fields(a={"column": "c", "format": "x"}), "format"),
    "a column that is no name": (with_fields(a={"column": "a'/x"}), "column"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_mapping_that_no_crm_could_take_is_refused_without_a_call(
    sync: Sync, case: str
) -> None:
    modules, words = REFUSED[case]
    answer = await sync.http.post(sync.path, json=sync.wanted(modules=modules))
    assert answer.status_code == 422
    assert words in answer.text
    assert sync.simulator.requests() == []
