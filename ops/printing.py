r"""The only place that writes to a terminal: what is shown is data, and data never acts.

Control, bidirectional, invisible and private characters are written as \u{..}: no name moves the
cursor, hides a line or looks like another. Styles belong to our own words; markup is not read.
"""

import contextlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_IDS = {"id", "record"}
Piece: TypeAlias = str | tuple[str, str]
"""A text, or a text and its style."""

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
_BLANK = frozenset(
    # letters, marks and symbols that show nothing (Default_Ignorable_Code_Point, fillers, blanks)
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)
).union(range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def escaped(text: str) -> str:
    r"""The text in visible characters and plain spaces only; no two texts become the same."""
    plain = text.replace("\\u{", "\\u{5c}u{")
    return "".join(_shown(character) for character in plain)


def say(*pieces: Piece) -> None:
    """A line on standard output."""
    _print(Console(), pieces)


def complain(message: str) -> None:
    """A line on standard error."""
    _print(Console(stderr=True), [(message, "red")])


def show_json(value: Any, *, on_error: bool = False) -> None:
    """JSON in ASCII: valid for programs, and harmless on a terminal."""
    _print(Console(stderr=on_error), [json.dumps(value, indent=1)], as_it_is=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Ids are for the next command: they are never cut short."""
    table = Table()
    for column in columns:
        table.add_column(Text(escaped(column)), overflow="fold", no_wrap=column in _IDS)
    for row in rows:
        table.add_row(*(Text(escaped(cell)) for cell in row))
    Console().print(table)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """A line that tells how long it has taken; the block calls what it gets with each new state."""
    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(escaped(what))
        yield lambda state: shown.update(task, description=escaped(f"{what}: {state}"))


def _print(console: Console, pieces: Sequence[Piece], *, as_it_is: bool = False) -> None:
    line = Text(end="\n")
    for piece in pieces:
        text, style = (piece, "") if isinstance(piece, str) else piece
        line.append(text if as_it_is else escaped(text), style)
    console.print(line, soft_wrap=True)


def _shown(character: str) -> str:
    code = ord(character)
    hidden = unicodedata.category(character) in _HIDDEN or code in _BLANK
    return rf"\u{{{code:x}}}" if hidden and character != " " else character
