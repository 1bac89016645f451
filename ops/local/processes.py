"""Child processes of the local suite: started apart from the terminal, ended by pid, kept alive."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

_ROOT = Path(__file__).parents[2]


class Child:
    """One program with its own log file; it can be killed and started again with the same data."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name, self._command = name, list(command)
        self._environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | dict(environment)
        self.log, self._pid_file = folder / f"{name}.log", folder / f"{name}.pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, ending first what an earlier, killed launcher left under this name."""
        self._end_leftover()
        with open_private(self.log) as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=True,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{self._process.pid} {_started_at(self._process.pid)}")

    def terminate(self) -> None:
        """Ask it to end; `wait` returns when it has."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def wait(self, deadline_s: float = 20.0) -> None:
        """Wait for the end; what has not ended by the deadline is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._forget()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._forget()

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _forget(self) -> None:
        self._process = None
        self._pid_file.unlink(missing_ok=True)

    def _end_leftover(self) -> None:
        """The start time beside the pid makes sure that it is still the same process."""
        with contextlib.suppress(OSError, ValueError):
            pid, started = self._pid_file.read_text().split()
            if _started_at(int(pid)) == started:
                os.killpg(int(pid), signal.SIGKILL)
                _await_end(int(pid))


def open_private(path: Path) -> BinaryIO:
    """Open a log for appending that only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _started_at(pid: int) -> str:
    """Clock ticks since boot, from the kernel; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _await_end(pid: int) -> None:
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.02)
