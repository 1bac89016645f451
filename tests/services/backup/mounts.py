"""Small file systems of their own, to be filled: only root can make one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A mount on `folder` for the block; skips where this machine does not let us."""
    folder.mkdir(exist_ok=True)
    mounting = subprocess.run(["mount", *options, folder], capture_output=True, check=False)
    if mounting.returncode != 0:
        pytest.skip("no right to mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[None]:
    """A disk of so many KiB on `folder`."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={kib}k", "none"):
        yield


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill a disk but for so many bytes, with one file."""
    filler = folder / "filler"
    free = shutil.disk_usage(folder).free
    filler.write_bytes(b"x" * (free - leave))
    return filler
