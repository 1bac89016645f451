"""Child processes of the local suite: started apart from the terminal, ended by pid, kept alive."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ops.local import leftovers
from ops.local.log_files import LogFile

_ROOT = Path(__file__).parents[2]


class Child:
    """One program with its own log file; it can be killed and started again with the same data.

    `folder` is the folder of logs, in the folder that the program is started for.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name, self._command = name, list(command)
        self._environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | dict(environment)
        self.log, self._pid_file = LogFile(folder / f"{name}.log"), folder / f"{name}.pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, ending first what an earlier, killed launcher left under this name."""
        leftovers.end_noted(self._pid_file, self._pid_file.parents[1])
        output = self.log.open()
        try:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=True,
                start_new_session=True,
            )
        finally:
            os.close(output)
        leftovers.note(self._pid_file, self._process.pid)

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

    def _forget(self) -> None:
        self._process = None
        self._pid_file.unlink(missing_ok=True)


def open_private(path: Path) -> BinaryIO:
    """Open a file for appending that only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
