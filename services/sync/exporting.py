"""The ledger as a file: a page at a time, so that neither its length nor a slow reader costs memory
or holds a transaction; every line until the moment at which it was asked for.

No cell of the CSV acts in a spreadsheet. A file that breaks off has no end in HTTP's terms either:
whoever reads it is told by the connection.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from contracts.ids import ConnectionId, TenantId
from contracts.schema import time_text
from kit import clock
from kit.db import Database
from services.sync.schemas import LedgerLine
from services.sync.store import ledger
from services.sync.store.ledger import LedgerFilter, LedgerRow
from services.sync.views import ledger_line

ExportFormat = Literal["csv", "jsonl"]
MEDIA_TYPES: Mapping[ExportFormat, str] = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
_ROWS = 500
_COLUMNS = tuple(LedgerLine.model_fields)
_ACTING = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def wanted_format(given: ExportFormat | None, accept: str) -> ExportFormat:
    """What the parameter says; else what Accept names first; else CSV."""
    places = {name: accept.find(media) for name, media in MEDIA_TYPES.items()}
    named: list[ExportFormat] = [name for name, place in places.items() if place >= 0]
    if given is not None:
        return given
    return min(named, key=places.__getitem__) if named else "csv"


async def lines(
    db: Database,
    tenant: TenantId,
    connection: ConnectionId,
    wanted: LedgerFilter,
    form: ExportFormat,
) -> AsyncIterator[bytes]:
    """The file in pieces, oldest call first."""
    now = clock.now()
    until = now if wanted.until is None else min(wanted.until, now)
    wanted, written = replace(wanted, until=until), _WRITERS[form]
    if form == "csv":
        yield _as_csv([_COLUMNS])
    last: LedgerRow | None = None
    while True:
        async with db.read() as session:
            rows = await ledger.stretch(session, tenant, connection, wanted, last, _ROWS)
        if rows:
            yield written(rows)
        if len(rows) < _ROWS:
            return
        last = rows[-1]


def _csv(rows: Sequence[LedgerRow]) -> bytes:
    return _as_csv([[_cell(value) for _, value in ledger_line(row)] for row in rows])


def _jsonl(rows: Sequence[LedgerRow]) -> bytes:
    found = [json.dumps(ledger_line(row).model_dump(mode="json")) + "\n" for row in rows]
    return "".join(found).encode()


_WRITERS: Mapping[ExportFormat, Callable[[Sequence[LedgerRow]], bytes]] = {
    "csv": _csv,
    "jsonl": _jsonl,
}


def _as_csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> object:
    """A number as it is; a text that a spreadsheet would compute begins with an apostrophe."""
    if value is None or isinstance(value, int):
        return value
    if hasattr(value, "isoformat"):
        return time_text(value)
    text = " ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_ACTING) else text
