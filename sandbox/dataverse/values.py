"""Checks one written value against its column; pure, the rules of Dataverse's own validation."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite

from sandbox.dataverse import refusals
from sandbox.dataverse.addresses import guid
from sandbox.dataverse.schema import Column, ColumnType, Table

Json = str | int | float | bool | None | list[object] | dict[str, object]


def checked(table: Table, column: Column, value: object) -> Json:
    """The value to store, or a Refusal with the text that Dataverse would send."""
    if value is None:
        if column.required == "system":
            raise refusals.not_nullable(column.name)
        return None
    return _CHECKS[column.type](table, column, value)


def _string(table: Table, column: Column, value: object) -> Json:
    if not isinstance(value, str):
        raise _wrong_type(table, value, "Edm.String")
    length = _utf16_length(value)
    if length is None:
        raise _wrong_type(table, "<not Unicode>", "Edm.String")
    if column.max_length is not None and length > column.max_length:
        raise refusals.too_long(column.name, table, column.max_length)
    if column.ascii_only and not value.isascii():
        raise _wrong_type(table, value, "Edm.String (Unicode=false)")
    return value


def _integer(table: Table, column: Column, value: object) -> Json:
    bits = 63 if column.type == "bigint" else 31
    if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > bits:
        raise _wrong_type(table, value, f"Edm.Int{bits + 1}")
    return _in_range(table, column, value)


def _number(table: Table, column: Column, value: object) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _wrong_type(table, value, "Edm.Decimal")
    rounded = round(Decimal(str(value)), column.precision)
    return _in_range(table, column, float(rounded))


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


def _guid(table: Table, _: Column, value: object) -> Json:
    found = guid(value) if isinstance(value, str) else None
    if found is None:
        raise _wrong_type(table, value, "Edm.Guid")
    return found


def _date(table: Table, _: Column, value: object) -> Json:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise _wrong_type(table, value, "Edm.Date")


def _datetime(table: Table, _: Column, value: object) -> Json:
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    raise _wrong_type(table, value, "Edm.DateTimeOffset")


def _lookup(_: Table, column: Column, __: object) -> Json:
    raise refusals.undeclared_property(column.name)


_CHECKS: Mapping[ColumnType, Callable[[Table, Column, object], Json]] = {
    "string": _string,
    "integer": _integer,
    "bigint": _integer,
    "decimal": _number,
    "double": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "guid": _guid,
    "choice": _choice,
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
