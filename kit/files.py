"""Files that survive a killed writer and a power cut: whole or not there, private from the first
byte, on the disk with their folder before the call returns."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` where `path` is; who reads meanwhile sees all of the old or all of the new."""
    with _draft(path, data, mode) as draft:
        draft.replace(path)
    sync(path.parent)


def create(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Like `replace`, but what is there already stays: False. Of two at once, one wins."""
    try:
        with _draft(path, data, mode) as draft:
            os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        sync(path.parent)
    return True


def sync(path: Path) -> None:
    """Return when the disk has the file, or the names in the folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _draft(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """The data on the disk under a hidden name of its own, in the folder where it will be."""
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask leaves of it
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
