"""The worst bodies that a stranger or a tenant may send: pure functions of their size."""

import json

CSV = "text/csv"
NDJSON = "application/x-ndjson"
JSON = "application/json"


def wide_header(size: int) -> bytes:
    """CSV: a header of nothing but one unknown column, over and over."""
    return b"a," * (size // 2) + b"\n"


def repeated_column(size: int) -> bytes:
    """CSV: a header that names a known column again and again."""
    return b"name," * (size // 5) + b"\n"


def endless_record(size: int) -> bytes:
    """CSV: one record without an end, behind a good header."""
    return b"symbol,name\n" + b"a," * (size // 2)


def open_quotes(size: int) -> bytes:
    """CSV: a record of cells that each go over a line end."""
    return b"symbol,name\n" + b'"\n",' * (size // 4)


def bad_cells(size: int) -> bytes:
    """CSV: as many rows as fit, each with a fault."""
    return b"symbol,name,date_added\n" + b",,x\n" * (size // 4)


def unknown_fields(size: int) -> bytes:
    """NDJSON: one row, all of whose fields are unknown."""
    fields = ",".join(f'"f{number:06}":1' for number in range(size // 12))
    return f'{{"key":"k","fields":{{{fields}}}}}\n'.encode()


def broken_lines(size: int) -> bytes:
    """NDJSON: as many lines as fit, none of them a row."""
    return b"[]\n" * (size // 3)


def good_rows(rows: int, first: int = 0) -> bytes:
    """NDJSON: a bulk as it should be, of new records."""
    return b"".join(
        json.dumps({"key": f"R{number:07}", "fields": {"name": f"Row {number}"}}).encode() + b"\n"
        for number in range(first, first + rows)
    )


def unknown_members(size: int) -> bytes:
    """JSON: an object of nothing but unknown members."""
    members = ",".join(f'"m{number:05}":1' for number in range(size // 11))
    return f"{{{members}}}".encode()


def nested_lists(size: int) -> bytes:
    """JSON: lists in lists, as deep as they may be, side by side."""
    return b'{"email":[' + (b"[" * 29 + b"]" * 29 + b",") * (size // 59) + b"1]}"


WORST_CSV = (wide_header, repeated_column, endless_record, open_quotes, bad_cells)
WORST_NDJSON = (unknown_fields, broken_lines)
WORST_JSON = (unknown_members, nested_lists)
