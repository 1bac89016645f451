"""CSV bodies (RFC 4180, UTF-8): the header names fields, each record becomes a row with its line.

A cell may hold quoted commas, quotes and newlines. An empty cell clears the field. A record, the
header too, has at most 64 KiB characters.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from kit.problems import MAX_FAULTS
from services.tenants.records import fields
from services.tenants.records.fields import Fault
from services.tenants.records.many.batch import MAX_ROW_BYTES, Batch
from services.tenants.records.modules import Module

MEDIA_TYPE = "text/csv"
KEY_COLUMN = "key"
MAX_COLUMNS = 1_000


class CsvBroken(ValueError):
    """The file cannot be read as CSV at all; the text says where."""


class HeaderWrong(ValueError):
    """The header does not fit the module; `faults` say which columns."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("the header does not fit the module")
        self.faults = list(faults)


def parse(body: bytes, module: Module, key_column: str | None, *, skips: bool) -> Batch:
    """Check the records. Raises CsvBroken, HeaderWrong, TooManyRows."""
    records = _read(_decode(body))
    _, header = next(records, (1, []))
    key_column = key_column or _default_key(module, header)
    _check_header(module, header, key_column)
    batch = Batch(module, skips)
    for line, cells in records:
        if batch.is_settled:
            break
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
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        lines.begin_record()
        try:
            cells = next(reader, None)
        except csv.Error:
            raise CsvBroken(
                f"the record that begins in line {line} is broken,"
                f" or longer than {MAX_ROW_BYTES} characters"
            ) from None
        if cells is None:
            return
        if cells:
            yield line, cells


class _Lines:
    """The lines of a text, with an end to how many of them one record may take.

    The reader would make cells without a bound: of a line that never ends, or of an open quote.
    """

    def __init__(self, text: str) -> None:
        self._lines, self._left = io.StringIO(text, newline=""), 0

    def begin_record(self) -> None:
        self._left = MAX_ROW_BYTES

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._lines.readline(self._left + 1)
        if not line:
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            raise csv.Error
        return line


def _default_key(module: Module, header: Sequence[str]) -> str | None:
    candidates = (KEY_COLUMN, module.key_field)
    return next((name for name in candidates if name is not None and name in header), None)


def _check_header(module: Module, header: Sequence[str], key_column: str | None) -> None:
    faults: list[Fault] = []
    if not header:
        faults.append(Fault("", "the file has no header"))
    if len(header) > MAX_COLUMNS:
        faults.append(Fault("", f"has more than {MAX_COLUMNS} cells"))
    if key_column is not None and key_column not in header:
        faults.append(Fault("", "the key column is not in the header"))
    seen = set[str]()
    for index, name in enumerate(header):
        if len(faults) > MAX_FAULTS:
            break
        if name not in module.fields and name != key_column:
            faults.append(Fault(f"/{index}", "names no field of this module"))
        elif name in seen:
            faults.append(Fault(f"/{index}", "names a column twice"))
        seen.add(name)
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
