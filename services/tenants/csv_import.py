"""CSV bodies (RFC 4180, UTF-8): the header names fields, each record becomes a row with its line.

A cell may hold quoted commas, quotes and newlines. An empty cell clears the field.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from services.tenants import fields
from services.tenants.fields import Fault
from services.tenants.modules import Module
from services.tenants.rows import Batch

MEDIA_TYPE = "text/csv"
KEY_COLUMN = "key"


class CsvBroken(ValueError):
    """The file cannot be read as CSV at all; the text says where."""


class HeaderWrong(ValueError):
    """The header does not fit the module; `faults` say which columns."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("the header does not fit the module")
        self.faults = list(faults)


def parse(body: bytes, module: Module, key_column: str | None) -> Batch:
    """Check every record. Raises CsvBroken, HeaderWrong, TooManyRows."""
    records = _read(_decode(body))
    _, header = next(records, (1, []))
    key_column = key_column or _default_key(module, header)
    _check_header(module, header, key_column)
    batch = Batch(module)
    for line, cells in records:
        if len(cells) != len(header):
            batch.refuse(line, [Fault("", f"has {len(cells)} cells, the header {len(header)}")])
        else:
            _add(batch, line, dict(zip(header, cells, strict=True)), key_column)
    return batch


def _decode(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise CsvBroken(f"line {line} is not UTF-8") from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise CsvBroken(f"line {line} contains NUL")
    return text


def _read(text: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the line on which each begins; empty lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise CsvBroken(f"the record that begins in line {line} is broken") from None
        if cells is None:
            return
        if cells:
            yield line, cells


def _default_key(module: Module, header: Sequence[str]) -> str | None:
    candidates = (KEY_COLUMN, module.key_field)
    return next((name for name in candidates if name is not None and name in header), None)


def _check_header(module: Module, header: Sequence[str], key_column: str | None) -> None:
    faults = []
    if not header:
        faults.append(Fault("", "the file has no header"))
    for index, name in enumerate(header):
        if name not in module.fields and name != key_column:
            faults.append(Fault(f"/{index}", "names no field of this module"))
        elif name in header[:index]:
            faults.append(Fault(f"/{index}", "names a column twice"))
    if key_column is not None and key_column not in header:
        faults.append(Fault("", "the key column is not in the header"))
    if faults:
        raise HeaderWrong(faults)


def _add(batch: Batch, line: int, cells: Mapping[str, str], key_column: str | None) -> None:
    definition = batch.module.fields
    values = {
        name: fields.from_text(definition[name], text)
        for name, text in cells.items()
        if name in definition
    }
    if key_column is None:
        batch.add(line, None, values)
    elif not cells[key_column]:
        batch.refuse(line, [Fault("/key", "is required")])
    else:
        batch.add(line, cells[key_column], values)
