"""Bulk upsert bodies: NDJSON, one `{"key", "fields"}` a line; a bad line is that line's fault."""

from collections.abc import Mapping

from kit import strict_json
from services.tenants.records.fields import Fault
from services.tenants.records.many.batch import MAX_ROW_BYTES, MAX_ROWS, Batch, TooManyRows
from services.tenants.records.modules import Module

MEDIA_TYPE = "application/x-ndjson"
_MAX_DEPTH = 2
_BLANK_LINES = 1_000


def parse(body: bytes, module: Module, *, skips: bool) -> Batch:
    """Check the lines; blank ones are skipped. Raises TooManyRows."""
    if body.count(b"\n") > MAX_ROWS + _BLANK_LINES:
        raise TooManyRows
    batch = Batch(module, skips)
    for number, line in enumerate(body.split(b"\n"), start=1):
        if batch.is_settled:
            break
        stripped = line.strip(b" \t\r")
        if len(stripped) > MAX_ROW_BYTES:
            batch.refuse(number, [Fault("", f"is longer than {MAX_ROW_BYTES} bytes")])
        elif stripped:
            _parse_line(batch, number, stripped)
    if not batch.rows and not batch.faults:
        batch.refuse(1, [Fault("", "the body holds no row")])
    return batch


def _parse_line(batch: Batch, number: int, line: bytes) -> None:
    try:
        row = strict_json.loads(line, max_depth=_MAX_DEPTH)
    except strict_json.StrictJsonError as error:
        batch.refuse(number, [Fault("", str(error))])
        return
    fault = _check_shape(row)
    if fault is not None:
        batch.refuse(number, [fault])
        return
    batch.add(number, row.get("key"), row["fields"], line.decode("utf-8"))


def _check_shape(row: object) -> Fault | None:
    if not isinstance(row, Mapping):
        return Fault("", 'must be an object {"key", "fields"}')
    if not row.keys() <= {"key", "fields"}:
        return Fault("", "has members other than key and fields")
    if not isinstance(row.get("fields"), Mapping):
        return Fault("/fields", "must be an object")
    return None
