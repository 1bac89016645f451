"""What a killed launcher left running: ended only where the kernel proves that it is ours.

A process id in a file proves nothing: the number may belong to somebody else by now, and a copy of
the folder has the same files. What counts is the process itself: when it was started, and that it
works in our folder and in no other.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

_PATIENCE_S = 20.0


def note(file: Path, pid: int) -> None:
    """Remember a process that was started for the folder."""
    file.write_text(f"{pid} {_started_at(pid)}")


def end_noted(file: Path, home: Path) -> None:
    """End the process group that the file names, if it was started then and for `home`."""
    with contextlib.suppress(OSError, ValueError):
        number, started = file.read_text().split()
        pid = int(number)
        if _started_at(pid) == started and _is_for(pid, home):
            os.killpg(pid, signal.SIGKILL)
            _await(lambda: _started_at(pid) != started)
    file.unlink(missing_ok=True)


def end_servers(program: str, place: Path) -> None:
    """End each process of `program` that works in the folder `place`, or was started with the file
    `place`: in order, then by force. Somebody's shell or editor there is another program."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for pid in _servers(program, place):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if _await(lambda: not _servers(program, place)):
            return


def is_running(pid: int) -> bool:
    return bool(_started_at(pid))


def _is_for(pid: int, home: Path) -> bool:
    """An argument or a value of its environment is `home`, or lies below it."""
    process, root = Path(f"/proc/{pid}"), os.fsencode(home)
    words = (process / "cmdline").read_bytes().split(b"\0")
    words += [word.partition(b"=")[2] for word in (process / "environ").read_bytes().split(b"\0")]
    return any(word == root or word.startswith(root + b"/") for word in words)


def _servers(program: str, place: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            is_there = (entry / "cwd").readlink() == place or os.fsencode(place) in words
            if is_there and (entry / "exe").readlink().name == program:
                found.append(int(entry.name))
    return found


def _started_at(pid: int) -> str:
    """Clock ticks since boot, from the kernel; empty where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _await(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
