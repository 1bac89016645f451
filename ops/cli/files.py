"""Files that an operator hands over or asks for: whatever is wrong is said in a sentence."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ops.cli.ending import REFUSED, USAGE, fail

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


@contextlib.contextmanager
def written(file: Path) -> Iterator[BinaryIO]:
    """What becomes the file once the block has ended well; nothing is left of half a one."""
    part = file.parent / f".{file.name}.part"
    try:
        with part.open("wb") as target:
            yield target
        part.replace(file)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}", REFUSED)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
