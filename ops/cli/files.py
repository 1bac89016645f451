"""Files that an operator hands over: whatever is wrong with one is said in a sentence."""

import json
from pathlib import Path
from typing import Any

from ops.cli.ending import USAGE, fail

_MOST = 1 << 20


def read_text(path: Path, what: str, code: int = USAGE) -> str:
    """The whole text; ends the program where it cannot be read."""
    try:
        with path.open("rb") as file:
            found = file.read(_MOST + 1)
        text = found.decode()
    except UnicodeDecodeError:
        fail(f"the {what} {path} is not text in UTF-8", code)
    except OSError as error:
        fail(f"the {what} {path} cannot be read: {error.strerror}", code)
    if len(found) > _MOST:
        fail(f"the {what} {path} has more than 1 MiB", code)
    return text


def read_json(path: Path, what: str, code: int = USAGE) -> dict[str, Any]:
    """The JSON object in a file."""
    text = read_text(path, what, code)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"the {what} {path} is not JSON: {error.msg} in line {error.lineno}", code)
    except (RecursionError, ValueError):
        fail(f"the {what} {path} is not JSON: nested too deep, or a number too long", code)
    if not isinstance(found, dict):
        fail(f"the {what} {path} is not a JSON object", code)
    return found


def without_line_end(text: str) -> str:
    """One line end is not part of a secret; blanks around it are."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
