"""Rows on their way in, from NDJSON or CSV: checked one by one, faults kept with their lines."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kit.problems import MAX_FAULTS
from services.tenants.records import modules
from services.tenants.records.fields import Fault
from services.tenants.records.modules import Module

MAX_ROWS = 50_000
MAX_ROW_BYTES = 64 * 1024
"""A row is no longer than the body of a single record may be."""
MAX_REPORTED = 1_000
"""Of the rows that were left out this many are named."""


class TooManyRows(ValueError):
    """The body holds more rows than one request may bring."""


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
    """The good rows of a body, each key once, and its faults.

    `rows` are JSON objects {key, fields} as they go to the database; `lines` says where each key
    stands. Without `skips` one fault refuses the body, so nobody needs to look further once there
    are more than a refusal names: see `is_settled`.
    """

    module: Module
    skips: bool
    rows: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[RowFault] = field(default_factory=list)
    failed_lines: int = 0
    _taken: int = 0

    @property
    def is_settled(self) -> bool:
        """Nothing that comes now changes the answer."""
        return not self.skips and len(self.faults) > MAX_FAULTS

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
        self.rows.append(text)

    def refuse(self, line: int, faults: Iterable[Fault]) -> None:
        """A line that is no row at all; it counts like one."""
        self._count()
        self._keep(line, faults)

    def _count(self) -> None:
        self._taken += 1
        if self._taken > MAX_ROWS:
            raise TooManyRows

    def _keep(self, line: int, faults: Iterable[Fault]) -> None:
        self.failed_lines += 1
        if len(self.faults) < MAX_REPORTED:
            self.faults += [RowFault(line, *fault) for fault in faults]

    def _claim(self, line: int, key: str) -> list[Fault]:
        first = self.lines.setdefault(key, line)
        return [] if first == line else [Fault("/key", f"the same key is in line {first}")]
