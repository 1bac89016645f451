"""The folder behind a local vault: what the store leaves to us, so that nobody's file stops it.

The store never calls fsync, and its listing ends at the first name that it does not like.
"""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import kit.files

_HALF_WRITTEN = re.compile(r"#\d+$")
_LEFT_BY_US = re.compile(r"[0-9a-f-]+(\.verify)?\.(tbk|json)#\d+")


@dataclass(frozen=True)
class StoredObject:
    """One listed object; `at` is when it became visible."""

    name: str
    size: int
    at: datetime


def files(root: Path, prefix: str) -> list[StoredObject]:
    """All files below a prefix, by name; OSError where the vault or the prefix cannot be read.

    A folder further down that cannot be read is listed like a file.
    """
    top, found = root / prefix, list[StoredObject]()
    if not root.is_dir():
        raise NotADirectoryError(root)

    def closed(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if Path(error.filename) == top:
            raise error
        found.append(StoredObject(os.path.relpath(error.filename, root), 0, datetime.now(UTC)))

    for folder, _, names in os.walk(top, onerror=closed):
        paths = [Path(folder, name) for name in names if not _HALF_WRITTEN.search(name)]
        found += [stored for path in paths if (stored := _stored(root, path)) is not None]
    return sorted(found, key=lambda stored: stored.name)


def sync(root: Path, path: Path) -> None:
    """Make a file durable, with every folder above it."""
    for each in [path, *path.parents]:
        if not each.is_relative_to(root):
            return
        kit.files.sync(each)


def unlink_leftovers(folder: Path, before: float) -> int:
    """Only what has a name of ours: an editor's `#file#` is not ours to delete."""
    stale = [path for path in folder.rglob("*#*") if _is_left_by_us(path, before)]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _stored(root: Path, path: Path) -> StoredObject | None:
    """None for what has just gone; what is no file (a pipe, a dead link) counts nothing."""
    try:
        status = path.stat() if path.is_file() else path.lstat()
    except FileNotFoundError:
        return None
    at = datetime.fromtimestamp(status.st_mtime, UTC)
    return StoredObject(str(path.relative_to(root)), status.st_size, at)


def _is_left_by_us(path: Path, before: float) -> bool:
    try:
        named = _LEFT_BY_US.fullmatch(path.name) is not None
        return named and path.is_file() and path.lstat().st_mtime < before
    except FileNotFoundError:
        return False
