"""The rows: dicts in memory and an append-only log, so that they survive a restart."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.dataverse import refusals, row_log
from sandbox.dataverse.collation import folded
from sandbox.dataverse.schema import Key, Schema, Table

Values = dict[str, Any]
KeyOf = tuple[Any, ...]
Snapshot = Mapping[str, Mapping[str, "Row"]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row, never changed in place: an update puts a new Row in its stead.

    `keys` are its alternate keys, by name, in the form in which they are compared.
    """

    id: str
    values: Values
    version: int
    keys: Mapping[str, KeyOf]

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"'


class Rows:
    """All rows of all tables; they change inside `transaction()` and are logged when it ends."""

    def __init__(self, schema: Schema, log: Path) -> None:
        self._schema = schema
        self._rows: dict[str, dict[str, Row]] = {}
        self._keys: dict[tuple[str, str], dict[KeyOf, str]] = {}
        self._gone: dict[str, dict[str, int]] = {}
        self._undo: list[tuple[str, str, Row | None]] | None = None
        self.version = 1_000_000
        self.epoch = "0"
        self._replay(row_log.read(log))
        self._log = row_log.compact(log, self._entries())

    def close(self) -> None:
        self._log.close()

    def flush(self) -> None:
        """Hands the log to the operating system; called once before each reply."""
        self._log.flush()

    def all(self, table: str) -> list[Row]:
        return list(self._of(table).values())

    def count(self, table: str) -> int:
        return len(self._of(table))

    def get(self, table: str, row_id: str) -> Row | None:
        return self._of(table).get(row_id)

    def find(self, table: str, key: Key, values: KeyOf) -> Row | None:
        row_id = self._keys.get((table, key.name), {}).get(_folded(values))
        return self._of(table).get(row_id) if row_id else None

    def within(self, table: Table, column: str, values: Iterable[str]) -> list[Row] | None:
        """The rows that have one of these (folded) values there; None without an index on it."""
        rows = self._of(table.set)
        if column == table.primary_id:
            return [rows[row_id] for row_id in sorted(values) if row_id in rows]
        key = next((key for key in table.keys if key.columns == (column,)), None)
        if key is None:
            return None
        index = self._keys.get((table.set, key.name), {})
        return [rows[row_id] for row_id in sorted(index[v,] for v in values if (v,) in index)]

    def deleted_since(self, table: str, version: int) -> list[tuple[int, str]]:
        """(version, id) of rows that were deleted after a version, oldest first."""
        gone = self._gone.get(table, {}).items()
        return sorted((at, row_id) for row_id, at in gone if at > version)

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
        self._write({(table, row_id): None for table, row_id, _ in changed})

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A transaction of another writer: it stays even if the one around it is undone."""
        outer, self._undo = self._undo, None
        try:
            with self.transaction():
                yield
        finally:
            self._undo = outer

    def insert(
        self, table: Table, row_id: str, values: Values, by: Mapping[str, str | None]
    ) -> Row:
        """`by` tells who writes: user, and the user in whose name."""
        if row_id in self._of(table.set):
            raise refusals.id_taken()
        now = _now()
        made = {"createdon": now, "modifiedon": now, "createdby": by["user"]}
        made |= {"modifiedby": by["user"], table.primary_id: row_id}
        if by.get("behalf"):
            made |= {"createdonbehalfby": by["behalf"], "modifiedonbehalfby": by["behalf"]}
        return self._save(table, row_id, {**values, **made})

    def update(self, table: Table, row: Row, changes: Values, by: Mapping[str, str | None]) -> Row:
        made = {"modifiedon": _now(), "modifiedby": by["user"]}
        behalf = {"modifiedonbehalfby": by.get("behalf")}
        return self._save(table, row.id, {**row.values, **changes, **made, **behalf})

    def delete(self, table: Table, row: Row) -> None:
        self._change(table.set, row.id, None)

    def clear(self) -> None:
        self.restore({})
        self._gone.clear()

    def snapshot(self) -> Snapshot:
        return {table: dict(rows) for table, rows in self._rows.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Each table as it was when the snapshot was taken: same ids, same versions."""
        self.epoch = uuid.uuid4().hex  # whoever counted versions has counted other ones
        with self.transaction():
            for table, rows in self._rows.items():
                then = snapshot.get(table, {})
                for row_id in [row_id for row_id in rows if row_id not in then]:
                    self._change(table, row_id, None)
                for row_id, row in then.items():
                    if rows.get(row_id) is not row:
                        self._change(table, row_id, row)
        self.flush()

    def rebuild(self, table: Table) -> None:
        """After its columns or keys have changed: values and indexes as the table is now."""
        rows = self._rows.pop(table.set, {})
        for place in [place for place in self._keys if place[0] == table.set]:
            del self._keys[place]
        for row in rows.values():
            values = {n: v for n, v in row.values.items() if n in table.columns}
            self._put(table.set, row.id, self._row(table, row.id, values))
        self._write({(table.set, row_id): None for row_id in rows})
        self.flush()

    def _save(self, table: Table, row_id: str, values: Values) -> Row:
        self.version += 1
        values["versionnumber"] = self.version
        row = self._row(table, row_id, values)
        for key in table.keys:
            if key.name in row.keys:
                owner = self._keys.get((table.set, key.name), {}).get(row.keys[key.name])
                if owner is not None and owner != row_id:
                    raise refusals.key_taken(key)
        self._change(table.set, row_id, row)
        return row

    def _row(self, table: Table, row_id: str, values: Values) -> Row:
        keys = {}
        for key in table.keys:
            found = [values.get(column) for column in key.columns]
            if None not in found:
                keys[key.name] = _folded(found)
        return Row(row_id, values, values["versionnumber"], keys)

    def _change(self, table: str, row_id: str, row: Row | None) -> None:
        if self._undo is None:
            raise RuntimeError("rows change only inside a transaction")
        self._undo.append((table, row_id, self._of(table).get(row_id)))
        self._put(table, row_id, row)

    def _put(self, table: str, row_id: str, row: Row | None) -> None:
        rows = self._of(table)
        old = rows.get(row_id)
        for name, key in old.keys.items() if old else ():
            if self._keys[table, name].get(key) == row_id:
                del self._keys[table, name][key]
        for name, key in row.keys.items() if row else ():
            self._keys.setdefault((table, name), {})[key] = row_id
        if row:
            rows[row_id] = row
        else:
            rows.pop(row_id, None)

    def _of(self, table: str) -> dict[str, Row]:
        return self._rows.setdefault(table, {})

    def _write(self, changed: Iterable[tuple[str, str]]) -> None:
        entries = [self._noted(table, row_id) for table, row_id in changed]
        if entries:
            self._log.write(row_log.line(entries))

    def _noted(self, table: str, row_id: str) -> row_log.Entry:
        row = self._of(table).get(row_id)
        gone = self._gone.setdefault(table, {})
        if row:
            gone.pop(row_id, None)
            return [table, row_id, row.values]
        self.version += 1
        gone[row_id] = self.version
        return [table, row_id, None, self.version]

    def _entries(self) -> Iterator[row_log.Entry]:
        for table, gone in self._gone.items():
            yield from ([table, row_id, None, version] for row_id, version in gone.items())
        for table, rows in self._rows.items():
            yield from ([table, row.id, row.values] for row in rows.values())

    def _replay(self, entries: Iterable[row_log.Entry]) -> None:
        """Rows of an older log get the columns that tables have gained since."""
        for name, row_id, values, *version in entries:
            table = self._schema.tables.get(name)
            if table is None:
                continue
            if values is None:
                if version:
                    self._gone.setdefault(name, {})[row_id] = version[0]
                self._put(name, row_id, None)
            else:
                self._gone.get(name, {}).pop(row_id, None)
                self._put(name, row_id, self._row(table, row_id, {**table.defaults, **values}))
            self.version = max(self.version, *version, values["versionnumber"] if values else 0)


def _folded(values: Sequence[Any]) -> KeyOf:
    return tuple([folded(v) if isinstance(v, str) else v for v in values])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
