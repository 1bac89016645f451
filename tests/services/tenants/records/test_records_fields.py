"""Typed fields take exactly what their kind says."""

import pytest

from services.tenants.records.fields import KINDS, Field, Kind, check_fields, check_value, from_text

GOOD: dict[Kind, list[object]] = {
    "text": ["a", "Saint Paul, Minnesota", "zwei\nZeilen", "日本", "x" * 40],
    "integer": [0, -1, 2**63 - 1, -(2**63)],
    "decimal": ["0", "12.50", "-0.5", "1" * 24],
    "boolean": [True, False],
    "date": ["2026-12-31", "2024-02-29", "0001-01-01"],
    "timestamp": ["2026-12-31T23:59:59Z", "2026-12-31T23:59:59.123456+02:00"],
    "email": ["a@b.example", "first.last+tag@sub.example.org"],
    "phone": ["+49 30 123456", "(212) 555-0100", "555-0100 x12"],
    "url": ["https://example.org", "http://example.org:8080/a?b=c#d"],
}
BAD: dict[Kind, list[object]] = {
    "text": ["", "   ", 1, True, [], {}, "x" * 41, "a\x00b", "a\x1bb", "a\ud800", 1.5],
    "integer": [1.0, "1", True, 2**63, -(2**63) - 1, [1]],
    "decimal": [1, 1.5, "1e5", "NaN", "01", ".5", "1.", "", "1" * 25, "١"],
    "boolean": [0, 1, "true"],
    "date": ["2026-02-29", "2026-1-1", "20261231", "2026-12-31T00:00:00Z", 20261231, ""],
    "timestamp": ["2027-01-31T23:59:59", "2027-01-31", "2026-13-01T00:00:00Z", 1],
    "email": ["a", "a@b", "@b.example", "a@b@c.example", "a b@c.example", "a@b..example", 1],
    "phone": ["", "call me", "+", "12", 5550100, "1;ext=2"],
    "url": ["example.org", "javascript:alert(1)", "https://", "https://a b", "ftp://a.example", 1],
}


def test_every_kind_has_examples() -> None:
    assert GOOD.keys() == BAD.keys() == KINDS


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in GOOD.items() for v in vs])
def test_good_values_pass(kind: Kind, value: object) -> None:
    assert check_value(Field("x", kind, max_length=40), value) is None


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in BAD.items() for v in vs])
def test_bad_values_are_named_and_not_shown(kind: Kind, value: object) -> None:
    fault = check_value(Field("x", kind, max_length=40), value)
    assert fault is not None
    assert fault.pointer == "/x"
    assert len(str(value)) < 5 or str(value) not in fault.message


def test_null_clears_unless_the_field_is_required() -> None:
    assert check_value(Field("x", "text"), None) is None
    assert check_value(Field("x", "text", required=True), None) is not None


def test_an_unknown_field_is_pointed_at_only_if_its_name_could_be_one() -> None:
    faults = check_fields({}, {"sector": 1, "my secret note": 2, "a/b": 3}, is_partial=True)
    assert [fault.pointer for fault in faults] == ["/sector", "", ""]


def test_a_whole_record_needs_its_required_fields_a_partial_one_does_not() -> None:
    definition = {"name": Field("name", "text", required=True)}
    assert [f.pointer for f in check_fields(definition, {}, is_partial=False)] == ["/name"]
    assert check_fields(definition, {}, is_partial=True) == []


def test_cells_become_typed_values_and_odd_ones_stay_for_the_check_to_name() -> None:
    assert from_text(Field("x", "text"), "") is None
    assert from_text(Field("x", "integer"), "-7") == -7
    assert from_text(Field("x", "integer"), "7.0") == "7.0"
    assert from_text(Field("x", "boolean"), "true") is True
    assert from_text(Field("x", "boolean"), "yes") == "yes"
    assert from_text(Field("x", "decimal"), "1.50") == "1.50"
