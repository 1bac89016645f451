"""Checks one written value against its column; pure, the rules of Dataverse's own validation."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite

from sandbox.dataverse import refusals
from sandbox.dataverse.addresses import guid
from sandbox.dataverse.columns import Column, ColumnType
from sandbox.dataverse.schema import Table

Json = str | int | float | bool | None | list[object] | dict[str, object]

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(?P<zone>Z|[+-]\d\d:\d\d)?", re.ASCII
)
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FIRST_YEAR = 1753


def checked(table: Table, column: Column, value: object) -> Json:
    """The value to store, or a Refusal with the text that Dataverse would send."""
    found = None if value is None else _CHECKS[column.type](table, column, value)
    if found is None and column.required == "system":
        raise refusals.not_nullable(column.name)
    return found


def _string(table: Table, column: Column, value: object) -> Json:
    """Lengths count UTF-16 units; an empty text is none at all."""
    if not isinstance(value, str):
        raise _wrong_type(table, value, "Edm.String")
    length = len(value) if value.isascii() else _utf16_length(value)
    if length is None:
        raise _wrong_type(table, "<not Unicode>", "Edm.String")
    if column.max_length is not None and length > column.max_length:
        raise refusals.too_long(column.name, table, column.max_length)
    if column.ascii_only and not value.isascii():
        raise _wrong_type(table, value, "Edm.String (Unicode=false)")
    if not value.isprintable() and _UNREADABLE.search(value):
        raise refusals.unreadable_character(column.name)
    return value or None


def _integer(table: Table, column: Column, value: object) -> Json:
    bits = 63 if column.type == "bigint" else 31
    if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > bits:
        raise _wrong_type(table, value, f"Edm.Int{bits + 1}")
    return _in_range(table, column, value)


def _number(table: Table, column: Column, value: object) -> Json:
    """Rounded to the column's precision. Kept as a float: fifteen digits, where SQL has more."""
    kind = "Edm.Double" if column.type == "double" else "Edm.Decimal"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(table, value, kind)
    if isinstance(value, float) and not isfinite(value):
        raise _wrong_type(table, value, kind)
    _in_range(table, column, value)
    return float(round(Decimal(str(value)), column.precision))


def _in_range(table: Table, column: Column, value: float) -> Json:
    low = column.minimum is not None and value < column.minimum
    if low or (column.maximum is not None and value > column.maximum):
        raise refusals.out_of_range(column.name, table)
    return value


def _boolean(table: Table, _: Column, value: object) -> Json:
    if not isinstance(value, bool):
        raise _wrong_type(table, value, "Edm.Boolean")
    return value


def _choice(table: Table, column: Column, value: object) -> Json:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(table, value, "Edm.Int32")
    if value not in column.options.values():
        raise refusals.unknown_choice(column.name, table, value)
    return value


def _choices(table: Table, column: Column, value: object) -> Json:
    """Several choices are one text: `"1,3"`."""
    if not isinstance(value, str):
        raise _wrong_type(table, value, "Edm.String")
    found = set()
    for text in value.split(",") if value else []:
        if not re.fullmatch(r"-?\d{1,10}", text.strip(), re.ASCII):
            raise refusals.unknown_choice(column.name, table, text)
        found.add(int(text))
    for number in sorted(found):
        _choice(table, column, number)
    return ",".join(map(str, sorted(found))) or None


def _guid(table: Table, _: Column, value: object) -> Json:
    found = guid(value) if isinstance(value, str) else None
    if found is None:
        raise _wrong_type(table, value, "Edm.Guid")
    return found


def _date(table: Table, _: Column, value: object) -> Json:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            pass
        else:
            _check_year(found)
            return found.isoformat()
    raise _wrong_type(table, value, "Edm.Date")


def _datetime(table: Table, _: Column, value: object) -> Json:
    """Kept in whole seconds of UTC; a moment without its zone is refused."""
    form = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if form and not form["zone"]:
        raise refusals.zone_missing(table, form[0])
    try:
        found = datetime.fromisoformat(form[0]).astimezone(UTC) if form else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise _wrong_type(table, value, "Edm.DateTimeOffset")
    _check_year(found)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_year(found: date) -> None:
    if found.year < _FIRST_YEAR:
        raise refusals.too_early(found)


def _lookup(_: Table, column: Column, __: object) -> Json:
    raise refusals.undeclared_property(column.name)


_CHECKS: Mapping[ColumnType, Callable[[Table, Column, object], Json]] = {
    "string": _string,
    "memo": _string,
    "integer": _integer,
    "bigint": _integer,
    "decimal": _number,
    "double": _number,
    "money": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "guid": _guid,
    "choice": _choice,
    "multiselect": _choices,
    "state": _choice,
    "status": _choice,
    "lookup": _lookup,
}


def _wrong_type(table: Table, value: object, expected: str) -> refusals.Refusal:
    """Dataverse puts the offending value into the text, so a client must not log it unseen."""
    return refusals.bad_payload(
        table.logical,
        f"Microsoft.OData.ODataException: Cannot convert the literal '{value}' to the expected "
        f"type '{expected}'.",
    )


def _utf16_length(text: str) -> int | None:
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return None
