"""A private RabbitMQ node on loopback: own state, ports, user and port mapper; none of it stays.

The node is the `rabbitmq-server` of the machine; nothing of the machine's own configuration is
read or changed.
"""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from kit import files
from ops.local.accounts import is_open_to_others, own_copied, server_account
from ops.local.ports import Ports, is_free
from ops.local.rabbitmq_install import RabbitMqUnavailable, find_script, refuse_missing

AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = bulkhead
default_pass = {password}
{definitions}log.file = {log}
log.file.level = info
log.file.rotation.size = 16777216
log.file.rotation.count = 1
log.console = false
raft.wal_max_size_bytes = 67108864
"""


_PORTS: tuple[Literal["port", "dist_port", "epmd_port"], ...] = ("port", "dist_port", "epmd_port")


class _Identity(TypedDict):
    name: str
    password: str
    port: int
    dist_port: int
    epmd_port: int


class RabbitMq:
    """One node with its data in `state`; the same data and password after every start."""

    def __init__(
        self,
        state: Path,
        ports: Ports | None = None,
        definitions: Callable[[str], str] | None = None,
    ) -> None:
        """`definitions` makes the definitions file, given the administrator's password."""
        self._definitions = definitions
        self._ports = ports or Ports()
        self.state, self._account = state.resolve(), server_account()
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._make_state()
        self._end_leftover()
        self._identity = self._load_identity()

    @property
    def port(self) -> int:
        """Where clients connect, on loopback."""
        return self._identity["port"]

    @property
    def url(self) -> str:
        """The administrator's address, with the password."""
        return f"amqp://bulkhead:{self._identity['password']}@127.0.0.1:{self._identity['port']}/"

    @property
    def pid(self) -> int | None:
        """The running node's process, for those who wait on it."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def start(self, deadline_s: float = 60.0) -> None:
        """Start the node (again) and return when it takes connections."""
        script = find_script() or refuse_missing()
        self._write_configuration()
        self._start_epmd()
        self._server = self._spawn([str(script)], "server.out")
        (self.state / "pids.json").write_text(json.dumps([self._server.pid, self._epmd_pid()]))
        self._await_ready(time.monotonic() + deadline_s)

    def stop(self, deadline_s: float = 20.0) -> None:
        """Shut the node down in order; whatever is left after the deadline is killed."""
        if self._server is not None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(deadline_s)
        self.kill()

    def kill(self) -> None:
        """kill -9 of the whole node, as a crash would."""
        for process in (self._server, self._epmd):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._server = self._epmd = None
        (self.state / "pids.json").unlink(missing_ok=True)

    def _make_state(self) -> None:
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is None:
            return
        if not is_open_to_others(self.state.parent):
            raise RabbitMqUnavailable(f"{self.state} is out of reach: pass accounts.reachable()")
        own_copied(self.state, self._account)
        self._own(self.state)

    def _own(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _load_identity(self) -> _Identity:
        file = self.state / "node.json"
        if file.exists():
            known: _Identity = json.loads(file.read_text())
        else:
            known = _new_identity()
        for name in _PORTS:
            if not known[name] or not is_free(known[name]):
                known[name] = self._ports.free()
        files.replace(file, json.dumps(known).encode())
        return known

    def _write_configuration(self) -> None:
        texts = {"enabled_plugins": "[].\n"}
        load = ""
        if self._definitions is not None:
            texts["definitions.json"] = self._definitions(self._identity["password"])
            load = f"load_definitions = {self.state / 'definitions.json'}\n"
        texts["rabbitmq.conf"] = CONFIGURATION.format(
            log=self.state / "node.log", definitions=load, **self._identity
        )
        for name, content in texts.items():
            files.replace(self.state / name, content.encode())
            self._own(self.state / name)

    def _environment(self) -> dict[str, str]:
        state, known = self.state, self._identity
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin",
            "HOME": str(state),  # the Erlang cookie is made here
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(known["epmd_port"]),
            "RABBITMQ_NODENAME": known["name"],
            "RABBITMQ_DIST_PORT": str(known["dist_port"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
            ),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(state / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(state / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(state / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(state / "data"),
            "RABBITMQ_LOG_BASE": str(state),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node: no shell in between
        }

    def _spawn(self, command: Sequence[str], output: str) -> subprocess.Popen[bytes]:
        account = self._account
        with (self.state / output).open("wb") as out:
            return subprocess.Popen(
                command,
                cwd=self.state,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the launcher
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )

    def _start_epmd(self) -> None:
        port = str(self._identity["epmd_port"])
        self._epmd = self._spawn(["epmd", "-address", "127.0.0.1", "-port", port], "epmd.out")

    def _epmd_pid(self) -> int:
        assert self._epmd is not None
        return self._epmd.pid

    def _await_ready(self, end: float) -> None:
        while not _answers_amqp(self._identity["port"]):
            if self.pid is None or time.monotonic() > end:
                self.kill()
                raise RabbitMqUnavailable(f"the node did not start:\n{self._last_words()}")
            time.sleep(0.1)

    def _last_words(self) -> str:
        output = (self.state / "server.out").read_text(errors="replace")
        return "\n".join(output.splitlines()[-15:])

    def _end_leftover(self) -> None:
        """End the node of a launcher that was killed; its processes name this state directory."""
        file = self.state / "pids.json"
        if not file.exists():
            return
        for pid in json.loads(file.read_text()):
            with contextlib.suppress(OSError):
                if str(self.state).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    os.killpg(pid, signal.SIGKILL)
        file.unlink()


def _new_identity() -> _Identity:
    return _Identity(
        name=f"bulkhead-{secrets.token_hex(6)}@localhost",
        password=secrets.token_urlsafe(24),
        port=0,
        dist_port=0,
        epmd_port=0,
    )


def _answers_amqp(port: int) -> bool:
    """True when the port speaks AMQP: the last thing a booting node does is to listen."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(AMQP_GREETING)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
