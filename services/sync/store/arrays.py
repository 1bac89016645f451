"""Many rows in one statement that is compiled once: one array for each column."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, any_, bindparam, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

Types = Mapping[str, TypeEngine[Any]]


def given_rows(types: Types) -> Any:
    """One row for each place of as many arrays, which are given when it is run."""
    arrays = [bindparam(f"all_{name}", type_=ARRAY(kind)) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def among(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`column IN (values)` in one array: the statement is the same however many there are."""
    return column == any_(literal(list(values), ARRAY(column.type)))


def arrays_of(rows: Sequence[Any], names: Iterable[str]) -> dict[str, list[Any]]:
    """The arrays of these rows' attributes."""
    return {f"all_{name}": [getattr(row, name) for row in rows] for name in names}
