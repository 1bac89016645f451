"""The tables of an organisation, read from a short JSON description; they may change as it runs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.dataverse.columns import Column, read_column, system_columns

BULK_MESSAGES = frozenset({"CreateMultiple", "UpdateMultiple"})
"""UpsertMultiple works where both do, and never shows itself among the messages."""
STANDARD_TABLES = Path(__file__).with_name("tables.json")


@dataclass(frozen=True)
class Key:
    """An alternate key: these columns together name one row."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table, with the columns that every table of the product has added to its own."""

    set: str
    logical: str
    primary_id: str
    primary_name: str
    columns: Mapping[str, Column]
    keys: tuple[Key, ...]
    bulk_actions: frozenset[str] = BULK_MESSAGES
    change_tracking: bool = False

    @property
    def type_name(self) -> str:
        return f"Microsoft.Dynamics.CRM.{self.logical}"

    def has_action(self, name: str) -> bool:
        both = self.bulk_actions >= BULK_MESSAGES
        return both if name == "UpsertMultiple" else name in self.bulk_actions

    @cached_property
    def properties(self) -> Mapping[str, Column]:
        """Columns by the name that they have in a row's JSON."""
        return {column.property_name: column for column in self.columns.values()}

    @cached_property
    def navigations(self) -> Mapping[str, tuple[Column, str]]:
        """The lookup column and the target set behind each navigation property."""
        return {
            name: (column, target)
            for column in self.columns.values()
            for name, target in column.targets.items()
        }

    @cached_property
    def demanded(self) -> tuple[str, ...]:
        """The columns without which there is no row."""
        return tuple(c.name for c in self.columns.values() if c.required == "system")

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        return {c.name: c.default for c in self.columns.values() if c.default is not None}


class Schema:
    """All tables, by entity set name. `version` grows with each change, as clients can see."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._first = dict(tables)
        self.tables = dict(self._first)
        self.version = 1_000_000

    def by_logical(self, logical: str) -> Table | None:
        return next((t for t in self.tables.values() if t.logical == logical), None)

    def logical_of(self, name: str) -> str:
        """The logical name behind a set, also of one that is not simulated (systemusers)."""
        return self.tables[name].logical if name in self.tables else name.removesuffix("s")

    def put(self, table: Table) -> None:
        self.tables[table.set] = table
        self.version += 1

    def drop(self, name: str) -> None:
        del self.tables[name]
        self.version += 1

    def reset(self) -> None:
        """The tables as they were at the start."""
        if self.tables != self._first:
            self.tables = dict(self._first)
            self.version += 1


def load(path: Path = STANDARD_TABLES) -> Schema:
    """Reads a description file; the shape is that of tables.json beside this module."""
    return parse(json.loads(path.read_text("utf-8")))


def parse(description: Mapping[str, Any]) -> Schema:
    tables = [read_table(entry) for entry in description["tables"]]
    return Schema({table.set: table for table in tables})


def read_table(entry: Mapping[str, Any]) -> Table:
    own = [read_column(column) for column in entry["columns"]]
    found = {column.name: column for column in [*system_columns(entry["primary_id"]), *own]}
    return Table(
        set=entry["set"],
        logical=entry["logical"],
        primary_id=entry["primary_id"],
        primary_name=entry["primary_name"],
        columns=found,
        keys=tuple(Key(name, tuple(columns)) for name, columns in entry["keys"].items()),
        bulk_actions=read_bulk_actions(entry.get("bulk_actions", True)),
        change_tracking=entry.get("change_tracking", False),
    )


def read_bulk_actions(written: bool | Iterable[str]) -> frozenset[str]:
    """True for both, False for none, or the names of those that there are."""
    found = (BULK_MESSAGES if written else frozenset()) if isinstance(written, bool) else written
    if not BULK_MESSAGES.issuperset(found):
        raise ValueError(f"bulk_actions are true, false or some of {sorted(BULK_MESSAGES)}")
    return frozenset(found)
