"""The rows: dicts in memory and an append-only log, so that they survive a restart."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from sandbox.dataverse import refusals
from sandbox.dataverse.collation import folded
from sandbox.dataverse.schema import Key, Schema, Table

Values = dict[str, Any]
KeyOf = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """One row, never changed in place: an update puts a new Row in its stead."""

    id: str
    values: Values
    version: int

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"'


class Rows:
    """All rows of all tables; they change inside `transaction()` and are logged when it ends."""

    def __init__(self, schema: Schema, log: Path) -> None:
        self._schema = schema
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in schema.tables}
        self._keys: dict[tuple[str, str], dict[KeyOf, str]] = {}
        self._version = 1_000_000
        self._undo: list[tuple[str, str, Row | None]] | None = None
        self._replay(log)
        self._log = _compacted(log, self._entries())

    def close(self) -> None:
        self._log.close()

    def flush(self) -> None:
        """Hands the log to the operating system; called once before each reply."""
        self._log.flush()

    def all(self, table: str) -> list[Row]:
        return list(self._rows[table].values())

    def count(self, table: str) -> int:
        return len(self._rows[table])

    def get(self, table: str, row_id: str) -> Row | None:
        return self._rows[table].get(row_id)

    def find(self, table: str, key: Key, values: KeyOf) -> Row | None:
        row_id = self._keys.get((table, key.name), {}).get(_folded(values))
        return self._rows[table].get(row_id) if row_id else None

    def within(self, table: Table, column: str, values: Iterable[str]) -> list[Row] | None:
        """The rows that have one of these (folded) values there; None without an index on it."""
        rows = self._rows[table.set]
        if column == table.primary_id:
            return [rows[row_id] for row_id in sorted(values) if row_id in rows]
        key = next((key for key in table.keys if key.columns == (column,)), None)
        if key is None:
            return None
        index = self._keys.get((table.set, key.name), {})
        return [rows[row_id] for row_id in sorted(index[v,] for v in values if (v,) in index)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner transaction is part of the outer one."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
        except BaseException:
            undo, self._undo = self._undo, None
            for table, row_id, old in reversed(undo):
                self._put(table, row_id, old)
            raise
        changed, self._undo = self._undo, None
        self._write([(table, row_id) for table, row_id, _ in changed])

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A transaction of another writer: it stays even if the one around it is undone."""
        outer, self._undo = self._undo, None
        try:
            with self.transaction():
                yield
        finally:
            self._undo = outer

    def insert(self, table: Table, row_id: str, values: Values) -> Row:
        if row_id in self._rows[table.set]:
            raise refusals.id_taken()
        now = _now()
        full = {**values, table.primary_id: row_id, "createdon": now, "modifiedon": now}
        return self._save(table, row_id, full, None)

    def update(self, table: Table, row: Row, changes: Values) -> Row:
        return self._save(table, row.id, {**row.values, **changes, "modifiedon": _now()}, row)

    def delete(self, table: Table, row: Row) -> None:
        self._change(table.set, row.id, None)

    def clear(self) -> None:
        with self.transaction():
            for table in self._schema.tables.values():
                for row in self.all(table.set):
                    self.delete(table, row)
        self.flush()

    def _save(self, table: Table, row_id: str, values: Values, old: Row | None) -> Row:
        for key in table.keys:
            owner = self.find(table.set, key, _key_of(key, values))
            if owner and (old is None or owner.id != old.id):
                raise refusals.key_taken(key)
        self._version += 1
        row = Row(row_id, {**values, "versionnumber": self._version}, self._version)
        self._change(table.set, row_id, row)
        return row

    def _change(self, table: str, row_id: str, row: Row | None) -> None:
        if self._undo is None:
            raise RuntimeError("rows change only inside a transaction")
        self._undo.append((table, row_id, self._rows[table].get(row_id)))
        self._put(table, row_id, row)

    def _put(self, table: str, row_id: str, row: Row | None) -> None:
        old = self._rows[table].pop(row_id, None) if row is None else self._rows[table].get(row_id)
        for key in self._schema.tables[table].keys:
            index = self._keys.setdefault((table, key.name), {})
            if old:
                index.pop(_folded(_key_of(key, old.values)), None)
            if row and None not in _key_of(key, row.values):
                index[_folded(_key_of(key, row.values))] = row_id
        if row:
            self._rows[table][row_id] = row

    def _write(self, changed: list[tuple[str, str]]) -> None:
        entries = [self._entry(table, row_id) for table, row_id in dict.fromkeys(changed)]
        if entries:
            self._log.write(json.dumps(entries, ensure_ascii=False).encode() + b"\n")

    def _entry(self, table: str, row_id: str) -> list[Any]:
        row = self._rows[table].get(row_id)
        return [table, row_id, row.values if row else None]

    def _entries(self) -> Iterator[list[Any]]:
        return (self._entry(table, row_id) for table, rows in self._rows.items() for row_id in rows)

    def _replay(self, log: Path) -> None:
        for line in log.read_bytes().splitlines(keepends=True) if log.exists() else []:
            if not line.endswith(b"\n"):
                break  # the last write was cut off by a crash: it was never answered
            for table, row_id, values in json.loads(line):
                if table in self._rows:
                    version = values["versionnumber"] if values else 0
                    self._version = max(self._version, version)
                    self._put(table, row_id, Row(row_id, values, version) if values else None)


def _compacted(log: Path, entries: Iterator[list[Any]]) -> BinaryIO:
    fresh = log.with_suffix(".new")
    with fresh.open("wb") as file:
        for entry in entries:
            file.write(json.dumps([entry], ensure_ascii=False).encode() + b"\n")
    fresh.replace(log)
    return log.open("ab")


def _key_of(key: Key, values: Values) -> KeyOf:
    return tuple(values.get(column) for column in key.columns)


def _folded(values: KeyOf) -> KeyOf:
    return tuple(folded(v) if isinstance(v, str) else v for v in values)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
