"""What a list can be filtered and sorted by: a module's fields and the record's own columns.

Each has an SQL expression whose cast cannot fail (CASE keeps it to records of the module, and to
values that PostgreSQL can read: older ones passed other checks on their way in) and a check for
values that a caller compares it with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.tenants.records.fields import Field, Kind, check_value
from services.tenants.records.modules import Module
from services.tenants.records.placeholders import Binds

_SQL_TYPES: Mapping[str, str] = {
    "integer": "numeric",
    "decimal": "numeric",
    "timestamp": "timestamptz",
    "uuid": "uuid",
}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ORDERED: frozenset[str] = frozenset(
    {"text", "email", "phone", "url", "integer", "decimal", "date", "timestamp"}
)
_RECORD: Mapping[str, Kind | None] = {
    "id": None,
    "key": "text",
    "version": "integer",
    "responsible": None,
    "second_responsible": None,
    "team": None,
    "territory": None,
    "created_at": "timestamp",
    "updated_at": "timestamp",
}
"""The record's own columns; None marks an id."""


@dataclass(frozen=True, slots=True)
class Sortable:
    """Something to filter or sort by; `kind` None is an id."""

    name: str
    kind: Kind | None
    is_field: bool

    @property
    def sql_type(self) -> str:
        return _SQL_TYPES.get(self.kind or "uuid", "text")

    @property
    def is_ordered(self) -> bool:
        return self.kind in _ORDERED

    @property
    def is_text(self) -> bool:
        return self.sql_type == "text" and self.kind != "boolean"

    def expression(self, binds: Binds) -> str:
        """The value in `record r`; $1 of the statement is the module."""
        if not self.is_field:
            return f"r.{self.name}"
        value = f"r.data ->> {binds.add(self.name)}"
        if self.sql_type == "text":
            return f"({value})"
        is_valid = f"r.module = $1::text AND pg_input_is_valid({value}, '{self.sql_type}')"
        return f"(CASE WHEN {is_valid} THEN ({value})::{self.sql_type} END)"

    def value(self, text: str, binds: Binds) -> str:
        """The placeholder of a value to compare with; checked by `accepts`."""
        return f"{binds.add(text)}::{self.sql_type}"

    def accepts(self, text: str) -> str | None:
        """What is wrong with a value to compare with, or None."""
        if self.kind is None:
            return None if _is_uuid(text) else "must be an id (UUID in lower case)"
        fault = check_value(Field(self.name, self.kind), _typed(self.kind, text))
        return fault.message if fault is not None else None


def find(module: Module, name: str) -> Sortable | None:
    """The column that a caller names; a record's own column wins over a field of that name."""
    if name in _RECORD:
        return Sortable(name, _RECORD[name], is_field=False)
    field = module.fields.get(name)
    return None if field is None else Sortable(name, field.kind, is_field=True)


def _is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None and str(UUID(text)) == text


def _typed(kind: Kind, text: str) -> object:
    """The JSON value that the text means, or the text where it means none."""
    if kind == "integer":
        return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text
