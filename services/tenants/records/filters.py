"""List filters, `field:op:value`: typed by the module's definition, every value bound.

Operators: eq, ne (true for an empty field too), lt, le, gt, ge, contains (text, any case),
in (values in one CSV line), is_null (true or false). Several filters must all hold.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.tenants.records import sortable
from services.tenants.records.fields import Fault
from services.tenants.records.modules import Module
from services.tenants.records.placeholders import Binds
from services.tenants.records.sortable import Sortable

MAX_FILTERS = 10
MAX_VALUES = 200
MAX_LENGTH = 4000
_COMPARE: Mapping[str, str] = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OPERATORS = frozenset({"eq", "ne", "contains", "in", "is_null"} | _COMPARE.keys())
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class FilterWrong(ValueError):
    """A filter, sort or cursor that does not fit; `fault` says where and why."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(pointer, message)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, checked."""

    column: Sortable
    operator: str
    values: tuple[str, ...]

    def where(self, binds: Binds) -> str:
        """The condition on `record r`."""
        expression = self.column.expression(binds)
        if self.operator == "is_null":
            return f"{expression} IS {'' if self.values[0] == 'true' else 'NOT '}NULL"
        if self.operator == "in":
            places = ", ".join(self.column.value(value, binds) for value in self.values)
            return f"{expression} IN ({places})"
        value = self.column.value(self.values[0], binds)
        if self.operator == "contains":
            return f"position(lower({value}) IN lower({expression})) > 0"
        if self.operator == "ne":
            return f"{expression} IS DISTINCT FROM {value}"
        return f"{expression} {_COMPARE.get(self.operator, '=')} {value}"


def parse(module: Module, texts: Sequence[str]) -> list[Filter]:
    """Check the filters of a query. Raises FilterWrong."""
    if len(texts) > MAX_FILTERS:
        raise FilterWrong("#query/filter", f"at most {MAX_FILTERS} filters")
    return [_parse(module, f"#query/filter/{i}", text) for i, text in enumerate(texts)]


def _parse(module: Module, pointer: str, text: str) -> Filter:
    name, _, rest = text.partition(":")
    operator, separator, value = rest.partition(":")
    column = sortable.find(module, name)
    if column is None:
        raise FilterWrong(pointer, "names no field of this module")
    if operator not in _OPERATORS or not separator:
        raise FilterWrong(pointer, "must be field:op:value, op " + ", ".join(sorted(_OPERATORS)))
    if len(value) > MAX_LENGTH or _CONTROL.search(value):
        raise FilterWrong(pointer, "the value is too long or holds control characters")
    _check_operator(pointer, column, operator)
    return Filter(column, operator, _values(pointer, column, operator, value))


def _check_operator(pointer: str, column: Sortable, operator: str) -> None:
    if operator in _COMPARE and not column.is_ordered:
        raise FilterWrong(pointer, "values of this field have no order")
    if operator == "contains" and not column.is_text:
        raise FilterWrong(pointer, "contains is for text")


def _values(pointer: str, column: Sortable, operator: str, value: str) -> tuple[str, ...]:
    if operator == "is_null":
        if value not in ("true", "false"):
            raise FilterWrong(pointer, "is_null takes true or false")
        return (value,)
    if operator == "contains":
        if not value:
            raise FilterWrong(pointer, "contains takes some text")
        return (value,)
    values = _split(pointer, value) if operator == "in" else (value,)
    for one in values:
        message = column.accepts(one)
        if message is not None:
            raise FilterWrong(pointer, message)
    return values


def _split(pointer: str, line: str) -> tuple[str, ...]:
    try:
        values = tuple(next(csv.reader([line], strict=True), ()))
    except csv.Error:
        raise FilterWrong(pointer, "in takes values in one CSV line") from None
    if not 0 < len(values) <= MAX_VALUES:
        raise FilterWrong(pointer, f"in takes 1 to {MAX_VALUES} values")
    return values
