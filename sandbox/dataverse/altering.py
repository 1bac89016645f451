"""Changes of the tables while clients are at work, as a customer's administrator makes them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from sandbox.dataverse.columns import Column, read_column
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.rows import Row
from sandbox.dataverse.schema import Table, read_bulk_actions

_FIXED = {"name", "type"}


class Alterations:
    """Each change is seen by the next request and by the version of the metadata."""

    def __init__(self, organisation: Organisation) -> None:
        self._organisation = organisation

    def add_column(self, table: str, **description: Any) -> None:
        """`description` is that of a column in tables.json."""
        found, column = self._table(table), read_column(description)
        if column.name in found.columns:
            raise ValueError(f"the table {table} has a column {column.name!r} already")
        self._put(found, {**found.columns, column.name: column})

    def drop_column(self, table: str, name: str) -> None:
        """With its values. A column of a key cannot be dropped, as in Dataverse."""
        found = self._table(table)
        column = _column(found, name)
        if any(name in key.columns for key in found.keys):
            raise ValueError(f"the column {name!r} is part of an alternate key")
        self._put(found, {n: c for n, c in found.columns.items() if c is not column})

    def change_column(self, table: str, name: str, **changes: Any) -> None:
        """`max_length=10`, `options={...}`, `required="system"`; values that are there stay."""
        found = self._table(table)
        unknown = set(changes) - {field.name for field in fields(Column)} | set(changes) & _FIXED
        if unknown:
            raise ValueError(f"of a column these cannot be changed: {sorted(unknown)}")
        changed = replace(_column(found, name), **changes)
        self._put(found, {**found.columns, name: changed})

    def remove_option(self, table: str, name: str, label: str) -> None:
        options = _column(self._table(table), name).options
        if label not in options:
            raise ValueError(f"the column {name!r} has no option {label!r}")
        kept = {known: value for known, value in options.items() if known != label}
        self.change_column(table, name, options=kept)

    def change_table(self, table: str, **changes: Any) -> None:
        """`bulk_actions` (true, false, some) and `change_tracking`, which is never switched off."""
        found = self._table(table)
        if set(changes) - {"bulk_actions", "change_tracking"}:
            raise ValueError("of a table only bulk_actions and change_tracking can be changed")
        if "bulk_actions" in changes:
            changes["bulk_actions"] = read_bulk_actions(changes["bulk_actions"])
        if found.change_tracking and not changes.get("change_tracking", True):
            raise ValueError("change tracking cannot be switched off")
        self._organisation.schema.put(replace(found, **changes))

    def drop_table(self, table: str) -> None:
        found = self._table(table)
        self.delete_rows(table)
        self._organisation.schema.drop(found.set)

    def delete_rows(self, table: str, **columns: Any) -> int:
        """Somebody deletes all rows with these values in these columns; without any, all rows."""
        rows, found = self._organisation.rows, self._table(table)
        meant = [row for row in rows.all(table) if _has(row, columns)]
        with rows.transaction():
            for row in meant:
                rows.delete(found, row)
        rows.flush()
        return len(meant)

    def _put(self, table: Table, columns: Mapping[str, Column]) -> None:
        changed = replace(table, columns=columns)
        self._organisation.schema.put(changed)
        if set(columns) != set(table.columns):
            self._organisation.rows.rebuild(changed)

    def _table(self, name: str) -> Table:
        try:
            return self._organisation.schema.tables[name]
        except KeyError:
            raise ValueError(f"there is no table {name!r}") from None


def _column(table: Table, name: str) -> Column:
    try:
        return table.columns[name]
    except KeyError:
        raise ValueError(f"the table {table.set} has no column {name!r}") from None


def _has(row: Row, columns: Mapping[str, Any]) -> bool:
    return all(str(row.values.get(name)) == str(value) for name, value in columns.items())
