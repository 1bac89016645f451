"""Small file systems of their own, to be filled. Only root can make one: for everybody else these
tests are skipped, for root a mount that is refused is a failure and not a reason to skip."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A mount on `folder` for the block.

    Skipped, and so never taken for passed, where whoever runs the tests is not root: the kernel
    lets nobody else. CI is root, and `make proof` fails instead.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, folder], check=True)
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
