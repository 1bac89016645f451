"""SQL statements in a file of their own: each has a name, and one line that says what it means.

`-- name: what it means` begins a statement; it ends where the next one begins.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_HEAD = re.compile(r"^-- ([a-z][a-z0-9_]*): \S.*\n", re.MULTILINE)


def load(path: Path) -> Mapping[str, str]:
    """The statements by name; ValueError for text without a name, or a name given twice."""
    before, *parts = _HEAD.split(path.read_text("utf-8"))
    named = list(zip(parts[::2], parts[1::2], strict=True))
    found = {name: text.strip() for name, text in named}
    if before.strip() or len(found) != len(named) or not all(found.values()):
        raise ValueError(f"not a file of named statements: {path.name}")
    return found
