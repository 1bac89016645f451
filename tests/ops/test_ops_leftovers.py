"""Only what is provably ours is ended: started then, for this folder, and for no copy of it."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.local import leftovers

Start = Callable[..., subprocess.Popen[bytes]]
WAIT = [sys.executable, "-c", "print(flush=True); input()"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Processes that wait for their input, each a group of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*more: str, **options: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
            [*WAIT, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        assert process.stdout
        process.stdout.readline()  # before that it is still becoming what it will be
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.stdout.close()


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


@pytest.fixture
def home(tmp_path) -> Path:
    made: Path = tmp_path / "run"
    made.mkdir()
    return made


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_what_was_started_for_the_folder_is_ended(start, home, by):
    place = str(home / "secrets" / "key")
    process = start(place) if by == "argument" else start(env={"KEY_FILE": place})
    leftovers.note(home / "one.pid", process.pid)
    leftovers.end_noted(home / "one.pid", home)
    process.wait(10)
    assert not (home / "one.pid").exists()


def test_a_copy_of_the_folder_does_not_end_what_the_original_runs(start, home, tmp_path):
    process = start(str(home / "secrets"))
    leftovers.note(home / "one.pid", process.pid)
    for name in ("copy", "run-copy", "ru"):
        shutil.copytree(home, tmp_path / name)
        leftovers.end_noted(tmp_path / name / "one.pid", tmp_path / name)
        assert not has_ended(process)


def test_another_process_that_has_the_number_by_now_is_left_alone(start, home):
    process = start(str(home))
    leftovers.note(home / "one.pid", process.pid)
    pid, started = (home / "one.pid").read_text().split()
    (home / "one.pid").write_text(f"{pid} {int(started) - 1}")
    leftovers.end_noted(home / "one.pid", home)
    assert not has_ended(process)


@pytest.mark.parametrize("content", ["", "12", "a b", "1 1 1", "-1 5", "99999999999999999999 7"])
def test_a_broken_file_ends_nothing(start, home, content):
    process = start(str(home))
    (home / "one.pid").write_text(content)
    leftovers.end_noted(home / "one.pid", home)
    assert not has_ended(process)


@pytest.mark.parametrize("by", ["folder", "file"])
def test_a_server_is_known_by_its_place_and_a_shell_there_is_none(start, home, tmp_path, by):
    (tmp_path / "elsewhere").mkdir()
    place = home if by == "folder" else home / "bootstrap.json"
    server = start(cwd=home) if by == "folder" else start(str(place))
    others = [start(cwd=tmp_path / "elsewhere"), start(f"{place}.d"), start(f"--file={place}")]
    leftovers.end_servers("postgres", place)
    assert not has_ended(server)
    leftovers.end_servers(Path(sys.executable).resolve().name, place)
    server.wait(10)
    assert not [one for one in others if has_ended(one)]
