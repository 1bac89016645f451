"""Values of ours as the values of a column, one converter for each type; pure and fast.

Ours are texts, whole numbers and booleans; a decimal is a text that keeps its digits. A value that
would arrive as another one (rounded, cut, shifted) is refused.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.sync.crm.dataverse import moments
from services.sync.crm.dataverse.choices import one_of, some_of
from services.sync.crm.dataverse.columns import (
    CHOICES,
    MANY_CHOICES,
    NUMBERS,
    TEXTS,
    WHOLES,
    TypedColumn,
)
from services.sync.crm.dataverse.refused_values import NotConvertible

Convert = Callable[[Any], Any]
_DECIMAL = re.compile(r"([+-]?)0*([0-9]{1,38})(?:\.([0-9]{1,38}))?")
_BITS = {"Integer": 31, "BigInt": 63}
_TRUTH = {"true": True, "false": False}
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def converter(column: TypedColumn, table: Mapping[str, int]) -> Convert:
    """What makes a value of the column, or raises NotConvertible; `table` is of its choices."""
    if column.type in TEXTS:
        return _text(column.max_length)
    if column.type in WHOLES:
        return _whole(column)
    if column.type in NUMBERS:
        return _number(column)
    if column.type in CHOICES:
        return one_of(column.options, table)
    if column.type in MANY_CHOICES:
        return some_of(column.options, table)
    if column.type == "Boolean":
        return _boolean(table)
    return _moment(column.behaviour) if column.type == "DateTime" else _uuid


def utf16_units(text: str) -> int:
    """How long Dataverse finds a text; one that is no Unicode counts as it stands."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _text(most: int | None) -> Convert:
    def convert(value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        text = str(value) if isinstance(value, int) else value
        if not isinstance(text, str):
            raise NotConvertible("the value is not a text")
        # a character has one unit or two: most texts need no counting
        if most is not None and len(text) * 2 > most and utf16_units(text) > most:
            raise NotConvertible(f"the value has more than {most} UTF-16 units")
        return text

    return convert


def _whole(column: TypedColumn) -> Convert:
    size = 1 << _BITS[column.type]
    low = Decimal(max(-size, -size if column.lowest is None else column.lowest))
    high = Decimal(min(size - 1, size - 1 if column.highest is None else column.highest))

    def convert(value: object) -> int:
        number = _exact(value)
        if number != number.to_integral_value():
            raise NotConvertible("the value is not a whole number")
        _require_range(number, low, high)
        return int(number)

    return convert


def _number(column: TypedColumn) -> Convert:
    decimals = column.decimals
    low, high = _as_written(column.lowest), _as_written(column.highest)

    def convert(value: object) -> int | float:
        number = _exact(value)
        if decimals is not None and _decimals(number) > decimals:
            raise NotConvertible(f"the value has more than {decimals} decimals")
        _require_range(number, low, high)
        return _in_json(number)

    return convert


def _exact(value: object) -> Decimal:
    """Without superfluous zeros, so that digits can be counted."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NotConvertible("the value is not a number")
    found = _DECIMAL.fullmatch(value if isinstance(value, str) else repr(value))
    if found is None:
        raise NotConvertible("the value is not a number, or one of too many digits")
    sign, whole, fraction = found.groups()
    digits = (fraction or "").rstrip("0")
    return Decimal(f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}")


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _as_written(bound: float | None) -> Decimal | None:
    """0.3 as the CRM wrote it, and not the float a little below."""
    return None if bound is None else Decimal(repr(bound))


def _require_range(number: Decimal, low: Decimal | None, high: Decimal | None) -> None:
    if (low is not None and number < low) or (high is not None and number > high):
        raise NotConvertible("the value is not in the column's range")


def _in_json(number: Decimal) -> int | float:
    """A JSON number that is read back as the same one, whoever reads it as a float between."""
    if _decimals(number) == 0:
        return int(number)
    made = float(number)
    if Decimal(repr(made)) != number:
        raise NotConvertible("the value has more digits than a number in JSON keeps")
    return made


def _boolean(table: Mapping[str, int]) -> Convert:
    known = {**_TRUTH, **{ours: bool(theirs) for ours, theirs in table.items()}}

    def convert(value: object) -> bool:
        if isinstance(value, bool):
            return value
        found = known.get(str(value)) if isinstance(value, str | int) else None
        if found is None:
            raise NotConvertible("the value is neither true nor false")
        return found

    return convert


def _moment(behaviour: str) -> Convert:
    if behaviour == moments.DAYS:
        return moments.day
    return moments.independent if behaviour == moments.INDEPENDENT else moments.moment


def _uuid(value: object) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise NotConvertible("the value is not a GUID")
    return str(UUID(value))
