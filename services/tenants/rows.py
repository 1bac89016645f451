"""Rows on their way in, from NDJSON or CSV: checked one by one, faults kept with their lines."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.tenants import modules
from services.tenants.fields import Fault
from services.tenants.modules import Module

MAX_ROWS = 50_000
MAX_FAULTS = 1_000


class TooManyRows(ValueError):
    """The body holds more rows than one request may bring."""


class Row(NamedTuple):
    """A good row: `text` is a JSON object {key, fields}, as it goes to the database."""

    line: int
    key: str | None
    text: str


class RowFault(NamedTuple):
    """What is wrong in a line; the pointer is into the row's {key, fields}."""

    line: int
    pointer: str
    message: str
    is_payment_data: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"line": self.line, "pointer": self.pointer, "message": self.message}


@dataclass
class Batch:
    """The good rows (each key once) and all faults of a body."""

    module: Module
    rows: list[Row] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)
    _taken: int = 0

    def add(
        self, line: int, key: object, values: Mapping[str, object], text: str | None = None
    ) -> None:
        """Check a row and take it in; `text` is its JSON where the caller has it already."""
        self._count()
        given = key, values
        key, values = modules.with_key(self.module, key, values)
        faults = modules.check_record(self.module, key, values, is_partial=key is not None)
        if not faults and key is None and self.module.needs_key:
            faults = [Fault("/key", "is required")]
        if not faults and isinstance(key, str):
            faults = self._claim(line, key)
        if faults:
            self._keep(line, faults)
            return
        if text is None or (key, values) != given:
            text = json.dumps({"key": key, "fields": values}, ensure_ascii=False)
        self.rows.append(Row(line, key if isinstance(key, str) else None, text))

    def refuse(self, line: int, faults: Iterable[Fault]) -> None:
        """A line that is no row at all; it counts like one."""
        self._count()
        self._keep(line, faults)

    def _count(self) -> None:
        self._taken += 1
        if self._taken > MAX_ROWS:
            raise TooManyRows

    def _keep(self, line: int, faults: Iterable[Fault]) -> None:
        self.faults += [RowFault(line, *fault) for fault in faults]

    def refuse_keys(self, keys: Iterable[str], pointer: str, message: str) -> None:
        """Faults that only the database could find, put back to the lines of these keys."""
        for key in keys:
            self.faults.append(RowFault(self._seen[key], pointer, message))

    def _claim(self, line: int, key: str) -> list[Fault]:
        first = self._seen.setdefault(key, line)
        return [] if first == line else [Fault("/key", f"the same key is in line {first}")]
