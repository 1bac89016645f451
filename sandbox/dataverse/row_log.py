"""The log of the rows: one line a transaction, appended; read and made short at the start.

A line is a list of entries: `[set, id, values]`, or `[set, id, null, version]` for a row that was
deleted. Without a version (an older log) a deletion is done, but not remembered.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

Entry = list[Any]
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def read(log: Path) -> Iterator[Entry]:
    for line in log.read_bytes().splitlines(keepends=True) if log.exists() else []:
        if not line.endswith(b"\n"):
            break  # the last write was cut off by a crash: it was never answered
        yield from json.loads(line)


def compact(log: Path, entries: Iterable[Entry]) -> BinaryIO:
    """Only what is needed, in the place of all that was; open for more."""
    fresh = log.with_suffix(".new")
    with fresh.open("wb") as file:
        for entry in entries:
            file.write(line([entry]))
    fresh.replace(log)
    return log.open("ab")


def line(entries: list[Entry]) -> bytes:
    return _encoded(entries).encode() + b"\n"
