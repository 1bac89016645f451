"""What to do with each due row, decided from its present values before anything is sent; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.clients import PresentRecord
from services.sync.connection import ModuleMapping
from services.sync.crm import Upsert
from services.sync.push.difference import Difference, difference
from services.sync.store.outgoing import DueRow, Settlement

GONE = "the record is gone or no longer chosen; its row in the CRM stays"


@dataclass(frozen=True)
class Item:
    """A row to send and what it looked like when it was planned."""

    row: DueRow
    key: str
    difference: Difference = field(repr=False)

    @property
    def record(self) -> UUID:
        return self.row.record

    @property
    def upsert(self) -> Upsert:
        return Upsert(self.key, self.difference.values)


@dataclass
class PushPlan:
    """`items` are sent, `settled` need no call; what is in neither waits for the next round."""

    items: list[Item] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)


def plan(
    due: Sequence[DueRow],
    present: Mapping[UUID, PresentRecord],
    mapping: ModuleMapping,
    hash_key: bytes,
    now: datetime,
    key_problem: Callable[[str], str | None],
) -> PushPlan:
    """Sort the due rows: one row per key, only fields that are mapped, chosen and changed."""
    made, keys = PushPlan(), set[str]()
    for row in due:
        record = present.get(row.record)
        if record is None:
            made.settled.append(Settlement(row.record, "removed", now, reason=GONE))
            continue
        key = record.key or str(record.id)
        if key in keys:
            continue
        keys.add(key)
        if problem := key_problem(key):
            made.settled.append(Settlement(row.record, "parked", now, reason=problem))
            continue
        values = mapped(record.fields, mapping)
        changed = difference(hash_key, record.id, key, values, row.sent)
        if changed.values:
            made.items.append(Item(row, key, changed))
        else:
            made.settled.append(Settlement(row.record, "ok", now))
    return made


def mapped(fields: Mapping[str, Any], mapping: ModuleMapping) -> dict[str, Any]:
    """The values by their column names; a field without a mapping stays here."""
    return {theirs: fields[ours] for ours, theirs in mapping.fields.items() if ours in fields}
