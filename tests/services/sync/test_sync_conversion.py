"""Values of ours as values of columns: what would arrive as another one is refused, by a rule."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.crm.dataverse.columns import WRITTEN, TypedColumn
from services.sync.crm.dataverse.conversion import converter
from services.sync.crm.dataverse.refused_values import NotConvertible
from tests.growth import TWICE, growth

SECTORS = {1: frozenset({"Energy", "Energie"}), 2: frozenset({"Water"}), 3: frozenset({"12"})}
TWINS = {7: frozenset({"Other"}), 8: frozenset({"Other", "Else"})}
NO_NUMBER = "the value is not a number, or one of too many digits"
NO_DATE = "the value is neither a date nor a time with its offset"
NO_OPTION = "the value is not one of the column's options"
IS_DAY = "the value is a day, and the column holds a moment that each user sees in another zone"
IS_MOMENT = "the value is a moment, and the column holds a day"
NO_YEAR = "the value is not between the years 1753 and 9999"


def column(type_: str, **changes: Any) -> TypedColumn:
    return TypedColumn("c", type_, **changes)


def made(of: TypedColumn, value: object, table: Mapping[str, int] | None = None) -> object:
    """The converted value, or the rule that it breaks."""
    try:
        return converter(of, table or {})(value)
    except NotConvertible as refused:
        return refused.rule


@pytest.mark.parametrize(
    ("value", "most", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "the value has more than 3 UTF-16 units"),
        ("\U0001f600\U0001f600", 4, "\U0001f600\U0001f600"),
        ("\U0001f600\U0001f600", 3, "the value has more than 3 UTF-16 units"),
        ("a\u0308", 2, "a\u0308"),  # two units on the screen as one character
        ("a\u0308", 1, "the value has more than 1 UTF-16 units"),
        ("line\nline", 100, "line\nline"),
        ("x" * 4000, None, "x" * 4000),
        (12, 5, "12"),
        (123456, 5, "the value has more than 5 UTF-16 units"),
        (True, 5, "true"),
        (["a"], 5, "the value is not a text"),
        (1.5, 5, "the value is not a text"),
    ],
)
def test_a_text_is_as_long_as_its_utf16_units(
    value: object, most: int | None, expected: object
) -> None:
    for type_ in ("String", "Memo"):
        assert made(column(type_, max_length=most), value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        ("5", 5),
        ("-007", -7),
        ("5.00", 5),
        ("5.5", "the value is not a whole number"),
        (101, "the value is not in the column's range"),
        ("-11", "the value is not in the column's range"),
        (True, "the value is not a number"),
        ("five", NO_NUMBER),
        ("1e2", NO_NUMBER),
        ("1,5", NO_NUMBER),
        ("1 000", NO_NUMBER),
        ("١", NO_NUMBER),
        ("9" * 39, NO_NUMBER),
        ("", NO_NUMBER),
    ],
)
def test_whole_numbers(value: object, expected: object) -> None:
    assert made(column("Integer", lowest=-10, highest=100), value) == expected


def test_a_whole_number_stays_within_the_bits_of_its_column() -> None:
    assert made(column("Integer"), 2**31 - 1) == 2**31 - 1
    assert made(column("Integer"), 2**31) == "the value is not in the column's range"
    assert made(column("BigInt"), 2**63 - 1) == 2**63 - 1
    assert made(column("BigInt"), -(2**63) - 1) == "the value is not in the column's range"


@pytest.mark.parametrize("type_", ["Decimal", "Double", "Money"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12.50", 12.5),
        ("12.00", 12),
        ("0.10", 0.1),
        ("-0.01", -0.01),
        ("12.505", "the value has more than 2 decimals"),
        ("12.500", 12.5),
        (7, 7),
        ("100000000000000", 100000000000000),
        ("100000000000000.01", "the value is not in the column's range"),
        ("9007199254740.93", 9007199254740.93),
        ("-0.02", "the value is not in the column's range"),
        ("1e3", NO_NUMBER),
        ("NaN", NO_NUMBER),
        ("Infinity", NO_NUMBER),
        ("12,50", NO_NUMBER),
        ("€ 12.50", NO_NUMBER),
        (False, "the value is not a number"),
    ],
)
def test_decimals_keep_their_digits_or_are_refused(
    type_: str, value: object, expected: object
) -> None:
    of = column(type_, lowest=-0.01, highest=100000000000000.0, decimals=2)
    found = made(of, value)
    assert (found, type(found)) == (expected, type(expected))


def test_a_bound_holds_as_it_is_written() -> None:
    of = column("Decimal", lowest=-0.3, highest=0.3, decimals=2)
    assert made(of, "0.3") == 0.3
    assert made(of, "-0.3") == -0.3
    assert made(of, "0.31") == "the value is not in the column's range"


def test_a_number_that_json_would_round_is_not_sent() -> None:
    of = column("Decimal", decimals=10)
    assert made(of, "12345678901.1234567891") == (
        "the value has more digits than a number in JSON keeps"
    )
    assert made(of, "12345678901.12345") == 12345678901.12345


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("false", False),
        ("Yes", True),
        ("No", False),
        ("yes", "the value is neither true nor false"),
        (1, "the value is neither true nor false"),
        (None, "the value is neither true nor false"),
    ],
)
def test_truth_is_never_guessed(value: object, expected: object) -> None:
    assert made(column("Boolean"), value, {"Yes": 1, "No": 0}) == expected


@pytest.mark.parametrize(
    ("behaviour", "value", "expected"),
    [
        ("DateOnly", "2026-06-01", "2026-06-01"),
        ("DateOnly", "2026-06-01T00:00:00+02:00", "2026-06-01"),
        ("DateOnly", "2026-06-01T10:30:00Z", IS_MOMENT),
        ("DateOnly", "1752-12-31", NO_YEAR),
        ("DateOnly", "2026-02-30", NO_DATE),
        ("DateOnly", "01.06.2026", NO_DATE),
        ("UserLocal", "2026-06-01", IS_DAY),
        ("UserLocal", "2026-06-01T01:30:00+02:00", "2026-05-31T23:30:00Z"),
        ("UserLocal", "2026-06-01T01:30:00.987654Z", "2026-06-01T01:30:00Z"),
        ("UserLocal", "2026-06-01T01:30:00", NO_DATE),
        ("UserLocal", "2026-06-01T25:30:00Z", NO_DATE),
        ("UserLocal", "0001-01-01T00:00:00+14:00", NO_YEAR),
        ("UserLocal", "9999-12-31T23:59:59-14:00", NO_YEAR),
        ("UserLocal", 1767225600, NO_DATE),
        ("TimeZoneIndependent", "2026-06-01", "2026-06-01T00:00:00Z"),
        ("TimeZoneIndependent", "2026-06-01T10:30:00+09:30", "2026-06-01T01:00:00Z"),
        ("a behaviour of tomorrow", "2026-06-01", IS_DAY),
    ],
)
def test_no_day_ever_shifts(behaviour: str, value: object, expected: str) -> None:
    assert made(column("DateTime", behaviour=behaviour), value) == expected


@pytest.mark.parametrize("type_", ["Picklist", "State", "Status"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Power", 1),
        ("Energy", 1),
        ("Energie", 1),
        ("energy", NO_OPTION),
        ("Energy ", NO_OPTION),
        ("2", 2),
        (2, 2),
        ("12", 3),  # a label that looks like a number is a label
        (4, NO_OPTION),
        ("Away", NO_OPTION),  # the table names an option that is gone
        (True, NO_OPTION),
        (["Energy"], NO_OPTION),
    ],
)
def test_an_option_is_named_by_the_table_its_label_or_its_number(
    type_: str, value: object, expected: object
) -> None:
    found = made(column(type_, options=SECTORS), value, {"Power": 1, "Away": 9})
    assert found == expected


def test_a_label_that_two_options_have_names_neither() -> None:
    of = column("Picklist", options=TWINS)
    assert made(of, "Other") == NO_OPTION
    assert made(of, "Else") == 8
    assert made(of, "Other", {"Other": 7}) == 7


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Water; Energy", "1,2"),
        ("Energy;Energie;1", "1"),
        ("Energy", "1"),
        (2, "2"),
        ("Energy; Fire", NO_OPTION),
        ("Energy, Water", NO_OPTION),
        ("a; b", "4"),  # a label may hold what tells labels apart
    ],
)
def test_several_options_are_told_apart_by_semicolons(value: object, expected: str) -> None:
    options = {**SECTORS, 4: frozenset({"a; b"})}
    assert made(column("MultiSelectPicklist", options=options), value) == expected


def test_a_guid_is_written_in_one_form() -> None:
    of = column("Uniqueidentifier")
    text = "6D1C1A3E-0000-4000-8000-0000000000AB"
    assert made(of, text) == text.lower()
    for other in ("{" + text + "}", text.replace("-", ""), "x", 5, True):
        assert made(of, other) == "the value is not a GUID"


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
_ANYTHING = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(), _SCALARS)


@given(st.sampled_from(sorted(WRITTEN)), _ANYTHING)
def test_whatever_a_value_is_it_is_converted_or_refused_by_a_rule_without_it(
    type_: str, value: object
) -> None:
    of = column(type_, max_length=5, decimals=2, options=SECTORS)
    found = made(of, value)
    assert isinstance(found, str | int | float)
    if isinstance(value, str) and len(value) > 20:
        assert value not in str(found)


@pytest.mark.parametrize("type_", ["String", "Decimal", "Picklist", "DateTime", "Boolean"])
@pytest.mark.parametrize("piece", ["0", "9", "-", "a;", "T0"])
def test_a_value_costs_what_it_is_long(type_: str, piece: str) -> None:
    of = column(type_, max_length=10, decimals=2, options=SECTORS)
    assert growth(lambda text: made(of, text), lambda size: piece * size, 20_000) <= TWICE


def test_a_choice_costs_what_it_has_options() -> None:
    def read(size: int) -> None:
        options = {number: frozenset({f"label {number}"}) for number in range(size)}
        made(column("Picklist", options=options), "none of them")

    assert growth(read, int, 2_000) <= TWICE
