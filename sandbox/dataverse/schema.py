"""The tables of an organisation, read from a short JSON description; immutable once read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ColumnType = Literal[
    "string",
    "integer",
    "bigint",
    "decimal",
    "double",
    "boolean",
    "date",
    "datetime",
    "guid",
    "choice",
    "lookup",
]
RequiredLevel = Literal["none", "application", "system"]
BULK_MESSAGES = frozenset({"CreateMultiple", "UpdateMultiple"})
"""UpsertMultiple works where both do, and never shows itself among the messages."""
STANDARD_TABLES = Path(__file__).with_name("tables.json")


@dataclass(frozen=True)
class Column:
    """One column. Of the required levels only "system" is enforced, as in Dataverse."""

    name: str
    type: ColumnType
    required: RequiredLevel = "none"
    read_only: bool = False
    max_length: int | None = None
    ascii_only: bool = False
    minimum: float | None = None
    maximum: float | None = None
    precision: int = 2
    options: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)

    @property
    def property_name(self) -> str:
        """The name under which rows show it: lookups read as `_name_value`."""
        return f"_{self.name}_value" if self.type == "lookup" else self.name


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

    @property
    def type_name(self) -> str:
        return f"Microsoft.Dynamics.CRM.{self.logical}"

    def has_action(self, name: str) -> bool:
        both = self.bulk_actions >= BULK_MESSAGES
        return both if name == "UpsertMultiple" else name in self.bulk_actions

    def navigation(self, name: str) -> tuple[Column, str] | None:
        """The lookup column and target set behind a navigation property (case-sensitive)."""
        for column in self.columns.values():
            if name in column.targets:
                return column, column.targets[name]
        return None

    def property_column(self, name: str) -> Column | None:
        if name.startswith("_") and name.endswith("_value"):
            column = self.columns.get(name.removeprefix("_").removesuffix("_value"))
            return column if column and column.type == "lookup" else None
        column = self.columns.get(name)
        return column if column and column.type != "lookup" else None


@dataclass(frozen=True)
class Schema:
    """All tables, by entity set name."""

    tables: Mapping[str, Table]

    def by_logical(self, logical: str) -> Table | None:
        return next((t for t in self.tables.values() if t.logical == logical), None)


def load(path: Path = STANDARD_TABLES) -> Schema:
    """Reads a description file; the shape is that of tables.json beside this module."""
    return parse(json.loads(path.read_text("utf-8")))


def parse(description: Mapping[str, Any]) -> Schema:
    tables = [_table(entry) for entry in description["tables"]]
    return Schema({table.set: table for table in tables})


def _table(entry: Mapping[str, Any]) -> Table:
    own = [Column(**column) for column in entry["columns"]]
    system = [
        Column(entry["primary_id"], "guid"),
        Column("createdon", "datetime", read_only=True),
        Column("modifiedon", "datetime", read_only=True),
        Column("versionnumber", "bigint", read_only=True),
    ]
    return Table(
        set=entry["set"],
        logical=entry["logical"],
        primary_id=entry["primary_id"],
        primary_name=entry["primary_name"],
        columns={column.name: column for column in [*system, *own]},
        keys=tuple(Key(name, tuple(columns)) for name, columns in entry["keys"].items()),
        bulk_actions=_bulk_actions(entry.get("bulk_actions", True)),
    )


def _bulk_actions(written: bool | list[str]) -> frozenset[str]:
    if isinstance(written, bool):
        return BULK_MESSAGES if written else frozenset()
    if not BULK_MESSAGES.issuperset(written):
        raise ValueError(f"bulk_actions are true, false or some of {sorted(BULK_MESSAGES)}")
    return frozenset(written)
