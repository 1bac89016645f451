"""Pages of a sorted list: keyset cursors that stay right while records come and go.

A cursor holds the sort values and the id of the last record shown, and the fingerprint of its
query: with another query it is refused. It opens nothing, so it needs no signature. Records
without a value come last in either direction; the id decides among equals.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from kit import base64url, strict_json
from services.tenants.records import sortable
from services.tenants.records.filters import FilterWrong
from services.tenants.records.modules import Module
from services.tenants.records.placeholders import Binds
from services.tenants.records.sortable import Sortable

MAX_SORTS = 3
_ID = Sortable("id", None, is_field=False)


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key."""

    column: Sortable
    is_descending: bool

    def order(self, expression: str) -> str:
        return f"{expression} {'DESC' if self.is_descending else 'ASC'} NULLS LAST"

    def after(self, expression: str, value: str | None, rest: str, binds: Binds) -> str:
        """What comes after `value`, or equals it and comes after by `rest`."""
        if value is None:
            return f"({expression} IS NULL AND {rest})"
        place = self.column.value(value, binds)
        beyond = f"{expression} {'<' if self.is_descending else '>'} {place}"
        return f"({beyond} OR {expression} IS NULL OR ({expression} = {place} AND {rest}))"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the sort values (text) and the id of its last record."""

    values: tuple[str | None, ...]
    record: str

    def where(self, sorts: Sequence[Sort], expressions: Sequence[str], binds: Binds) -> str:
        """The condition on `record r` for what comes after."""
        condition = f"r.id > {_ID.value(self.record, binds)}"
        for sort, expression, value in reversed(
            list(zip(sorts, expressions, self.values, strict=True))
        ):
            condition = sort.after(expression, value, condition, binds)
        return condition


def parse_sort(module: Module, text: str | None) -> list[Sort]:
    """`name,-date_added` in order of weight. Raises FilterWrong."""
    names = text.split(",") if text else []
    if len(names) > MAX_SORTS:
        raise FilterWrong("#query/sort", f"at most {MAX_SORTS} fields")
    return [_parse_sort(module, name) for name in names]


def _parse_sort(module: Module, text: str) -> Sort:
    column = sortable.find(module, text.removeprefix("-"))
    if column is None:
        raise FilterWrong("#query/sort", "names no field of this module")
    return Sort(column, text.startswith("-"))


def fingerprint(module: str, filters: Sequence[str], sort: str | None) -> str:
    """Names the query that a cursor belongs to."""
    text = json.dumps([module, sorted(filters), sort or ""])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def to_cursor(query: str, place: Cursor) -> str:
    return base64url.encode(json.dumps([query, *place.values, place.record]).encode())


def from_cursor(query: str, sorts: Sequence[Sort], cursor: str) -> Cursor:
    """The place in a cursor of this query. Raises FilterWrong."""
    try:
        named, *values, record = strict_json.loads(base64url.decode(cursor))
    except (ValueError, TypeError):
        raise _not_ours() from None
    if named != query or len(values) != len(sorts):
        raise _not_ours()
    for column, value in zip(
        [*(sort.column for sort in sorts), _ID], [*values, record], strict=True
    ):
        if not (value is None and column is not _ID) and not _fits(column, value):
            raise _not_ours()
    return Cursor(tuple(values), record)


def _fits(column: Sortable, value: object) -> bool:
    return isinstance(value, str) and column.accepts(value) is None


def _not_ours() -> FilterWrong:
    return FilterWrong("#query/cursor", "is no cursor of this query")
