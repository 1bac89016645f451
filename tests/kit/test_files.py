"""Files that are replaced or created: whole, private and on the disk, whenever the writer dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit import files

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from kit import files

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(os, sys.argv[2], die)
files.replace(Path(sys.argv[1]), b"new" * 100_000)
"""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What was asked of the disk: deed, name, and the file's mode at that moment."""
    done: list[tuple[str, str, int]] = []
    fsync, replace, link = os.fsync, os.replace, os.link

    def synced(descriptor: int) -> None:
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(("sync", place.name, place.stat().st_mode & 0o777))
        fsync(descriptor)

    def named(deed: Callable[..., None]) -> Callable[..., None]:
        def noted(source: Path, target: Path) -> None:
            done.append((deed.__name__, target.name, source.stat().st_mode & 0o777))
            deed(source, target)

        return noted

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named(replace))
    monkeypatch.setattr(os, "link", named(link))
    return done


def test_the_disk_has_the_data_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, steps: list[tuple[str, str, int]]
) -> None:
    path = tmp_path / "key"
    files.replace(path, b"1")
    (first, draft, mode), (second, name, _), (third, folder, _) = steps
    assert (first, second, third) == ("sync", "replace", "sync")
    assert (name, folder, mode) == ("key", tmp_path.name, 0o600)
    assert draft != "key"
    steps.clear()
    assert files.create(tmp_path / "other", b"1")
    assert [step[0] for step in steps] == ["sync", "link", "sync"]


@pytest.mark.parametrize("at", ["fsync", "replace", "fdopen", "fchmod"])
def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path, at: str) -> None:
    path = tmp_path / "state.json"
    files.replace(path, b"old")
    writer = subprocess.run([sys.executable, "-c", KILLED_AT, str(path), at], check=False)
    assert writer.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    left = [one for one in tmp_path.iterdir() if one != path]
    assert all(one.name.startswith(".") and one.stat().st_mode & 0o077 == 0 for one in left)
    files.replace(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_a_mode_holds_whatever_the_umask_and_is_never_wider_before(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.replace(tmp_path / "public", b"1", 0o644)
        os.umask(0)
        files.replace(tmp_path / "private", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_a_draft_is_private_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    opened = os.fdopen

    def noted(descriptor: int, mode: str) -> object:
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        return opened(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", noted)
    files.replace(tmp_path / "key", b"1")
    assert seen == [0o600]


def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    files.replace(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.replace(path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["key"]
    assert path.read_bytes() == b"old"


def test_of_many_that_create_at_once_one_wins_and_nobody_sees_another(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: files.create(path, str(n).encode()), range(32)))
    assert made.count(True) == 1
    assert path.read_bytes() == str(made.index(True)).encode()
    assert [one.name for one in tmp_path.iterdir()] == ["key"]
