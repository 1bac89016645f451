"""The whole suite on this machine: every real part as a process of its own, on loopback only."""

import asyncio
import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import httpx2

from contracts.broker import BULKHEAD
from kit.messaging.amqp import prepare
from ops import broker
from ops.bootstrap import bootstrap, role_of
from ops.local import certificates, leftovers
from ops.local.envoy import EnvoyUnavailable, LocalEnvoy, bootstrap_file
from ops.local.layout import CRM_NAME, Layout
from ops.local.log_files import LogFile
from ops.local.ports import NoFreePort
from ops.local.postgres import LocalPostgres, PostgresUnavailable
from ops.local.processes import Child, open_private
from ops.local.rabbitmq import RabbitMq
from ops.local.rabbitmq_install import RabbitMqUnavailable, ensure_installed
from ops.local.supervision import Say, Supervised, supervise
from ops.programs import PROGRAMS, LocalProgram, environment, telemetry
from ops.secrets import broker_passwords, database_passwords, make_keys, write_addresses

_UNAVAILABLE = (
    *(PostgresUnavailable, RabbitMqUnavailable, EnvoyUnavailable, NoFreePort),
    *(OSError, ValueError, asyncpg.PostgresError, TimeoutError),
)


class SuiteFailed(Exception):
    """A part did not start; the text names it, the reason and the log with the rest."""


class Suite:
    """Start, stop, kill and start again any part; the data stays in the layout's folders."""

    def __init__(self, layout: Layout, say: Say = lambda _line: None) -> None:
        self.layout, self._say = layout, say
        for folder in (layout.logs, layout.root / "state", layout.secrets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.postgres = LocalPostgres(layout.servers / "pg", layout.ports["postgres"])
        self.rabbitmq: RabbitMq | None = None
        self._broker: asyncio.Task[dict[str, str]] | None = None
        self.envoy = LocalEnvoy(layout.edge, layout.logs / "envoy.log")
        self.children: dict[str, Child] = {}

    async def start(self) -> None:
        """Start every part in order of need; each is ready before the next needs it."""
        make_keys(self.layout.secrets)
        await self._step("certificates", asyncio.to_thread(self._make_certificates))
        await self._step("PostgreSQL and RabbitMQ", self._start_servers())
        await self._step("migrations", self._migrate())
        self._start_child(self._simulator())
        for program in PROGRAMS.values():
            self._start_child(self._service(program))
        await self._step("services", self._await_children())
        await self._step("Envoy", self.envoy.start())

    async def stop(self) -> None:
        """End everything that was started, the edge first."""
        await self.envoy.stop(deadline_s=3.0)
        for child in self.children.values():
            child.terminate()
        await asyncio.gather(*(asyncio.to_thread(child.wait) for child in self.children.values()))
        if self._broker is not None:
            # its thread goes on, whatever has failed meanwhile
            await asyncio.gather(self._broker, return_exceptions=True)
        if self.rabbitmq is not None:
            await asyncio.to_thread(self.rabbitmq.stop)
        await asyncio.to_thread(self.postgres.stop)

    async def supervise(self) -> None:
        """Start again whatever ends by itself; until cancelled."""
        parts = [
            Supervised("PostgreSQL", lambda: self.postgres.pid is not None, self.postgres.start)
        ]
        if self.rabbitmq is not None:
            parts.append(_broker_part(self.rabbitmq))
        parts += [_child_part(child) for child in self.children.values()]
        parts.append(Supervised("Envoy", lambda: self.envoy.pid is not None, self.envoy.start))
        await supervise(parts, self._say)

    async def restart(self, name: str, deadline_s: float = 30.0) -> None:
        """Start a killed program again and wait until it is ready."""
        self.children[name].start()
        await self._await_ready(name, time.monotonic() + deadline_s)

    async def _step(self, what: str, work: Awaitable[None]) -> None:
        begun = time.monotonic()
        try:
            await work
        except _UNAVAILABLE as error:
            raise SuiteFailed(f"{what}: {error or type(error).__name__}") from error
        self._say(f"  {what} ready ({time.monotonic() - begun:.1f} s)")

    def _make_certificates(self) -> None:
        certificates.ensure(self.layout.certificates)
        certificates.ensure(self.layout.certificates, "crm", (CRM_NAME, "localhost"))

    async def _start_servers(self) -> None:
        self._broker = asyncio.create_task(asyncio.to_thread(self._start_rabbitmq))
        await self.postgres.start()
        passwords = database_passwords(self.layout.secrets)
        await bootstrap(self.postgres.superuser_url, passwords)
        amqp_urls = await asyncio.shield(self._broker)
        if self.rabbitmq is None and len(set(amqp_urls.values())) == 1:
            await prepare(amqp_urls["relay"], BULKHEAD, broker.topics())

        def database_url(role: str, service: str) -> str:
            return self.postgres.url(role_of(role), passwords[role], role_of(service))

        write_addresses(self.layout.secrets, database_url, amqp_urls)

    def _start_rabbitmq(self) -> dict[str, str]:
        """The broker's address for each program: those that are given, else a private node's."""
        if (given := broker.given_urls()) is not None:
            if len(set(given.values())) == 1:
                self._say("  one user of RabbitMQ serves every program: for trying out only")
            return given
        ensure_installed()
        passwords = broker_passwords(self.layout.secrets)
        self.rabbitmq = RabbitMq(
            self.layout.servers / "rabbitmq",
            self.layout.free_ports,
            lambda own: broker.definitions(passwords | {broker.ADMINISTRATOR: own}),
        )
        self.rabbitmq.start()
        port = self.rabbitmq.port
        users = [name for name in broker.NAMES if name != broker.ADMINISTRATOR]
        return {n: broker.url_of(n, passwords[n], "127.0.0.1", port) for n in users}

    async def _migrate(self) -> None:
        programs = [program for program in PROGRAMS.values() if program.migrates]
        await asyncio.gather(*(self._run_migration(program) for program in programs))

    async def _run_migration(self, program: LocalProgram) -> None:
        log = LogFile(self.layout.logs / f"{program.name}.log")
        output = log.open()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *program.migration[1:],
                env=self.environment(program.name),
                cwd=Path(__file__).parents[2],
                stdout=output,
                stderr=output,
            )
        finally:
            os.close(output)
        if await process.wait():
            raise SuiteFailed(f"the migration of {program.name} failed: {log.reason()}")

    def environment(self, name: str) -> dict[str, str]:
        """The whole environment of one of our programs."""
        shell = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        return shell | self._settings(PROGRAMS[name])

    def _settings(self, program: LocalProgram) -> dict[str, str]:
        values = environment(program, self.layout.places()) | telemetry(os.environ)
        if program.name == "tenants":
            values["BULKHEAD_DATA_VOLUME"] = str(self.layout.servers)
        if program.name == "gateway":
            edge, files = self.layout, self.layout.certificates
            values |= {
                "BULKHEAD_EDGE_DIR": str(edge.edge),
                "BULKHEAD_EDGE_PORT": str(edge.ports["edge"]),
                "BULKHEAD_EDGE_METRICS_PORT": str(edge.ports["edge_metrics"]),
                "BULKHEAD_CERTIFICATE_FILE": str(files / "edge.pem"),
                "BULKHEAD_CERTIFICATE_KEY_FILE": str(files / "edge.key"),
                "BULKHEAD_GLOBAL_RANGES": json.dumps(["127.0.0.0/8", "::1/128"]),
            }
        return values

    def _service(self, program: LocalProgram) -> Child:
        command = [sys.executable, *program.command[1:]]
        if program.name == "sync":
            # the one place where a name of this machine is let through the egress guard
            anchor = self.layout.certificates / "authority.pem"
            port = str(self.layout.ports["simulator"])
            command = [sys.executable, "-m", "ops.local.sync", CRM_NAME, port, str(anchor)]
        return Child(program.name, command, self._settings(program), self.layout.logs)

    def _simulator(self) -> Child:
        if find_spec("sandbox") is None:
            raise SuiteFailed("the package bulkhead-sandbox is not installed: `make setup` does it")
        files = self.layout.certificates
        options = {
            "--host": "127.0.0.1",
            "--port": str(self.layout.ports["simulator"]),
            "--name": CRM_NAME,
            "--cert": str(files / "crm.pem"),
            "--key": str(files / "crm.key"),
            "--state": str(self.layout.root / "simulator"),
        }
        arguments = [part for option in options.items() for part in option]
        arguments += ["--authority", str(files / "authority.pem"), str(files / "authority.key")]
        command = [sys.executable, "-m", "sandbox.dataverse", *arguments]
        return Child("simulator", command, {}, self.layout.logs)

    def _start_child(self, child: Child) -> None:
        self.children[child.name] = child
        child.start()

    async def _await_children(self) -> None:
        deadline = time.monotonic() + 60
        await asyncio.gather(*(self._await_ready(name, deadline) for name in PROGRAMS))

    async def _await_ready(self, name: str, deadline: float) -> None:
        url = f"{self.layout.places().url(name)}/readyz"
        child, last = self.children[name], ""
        async with httpx2.AsyncClient(trust_env=False, timeout=3.0) as client:
            while time.monotonic() < deadline and child.pid is not None:
                with contextlib.suppress(httpx2.TransportError):
                    answer = await client.get(url)
                    if answer.is_success:
                        return
                    last = answer.text
                await asyncio.sleep(0.1)
        if child.pid is None:
            raise SuiteFailed(f"{name} ended at its start: {child.log.reason()}")
        raise SuiteFailed(f"{name} is not ready: {last or 'no answer'} (see {child.log.path})")


def _child_part(child: Child) -> Supervised:
    async def lift() -> None:
        await asyncio.to_thread(child.start)

    return Supervised(child.name, lambda: child.pid is not None, lift)


def _broker_part(broker: RabbitMq) -> Supervised:
    async def lift() -> None:
        await asyncio.to_thread(broker.kill)  # what of the node is left, its port mapper too
        await asyncio.to_thread(broker.start)

    return Supervised("RabbitMQ", lambda: broker.pid is not None, lift)


@contextlib.asynccontextmanager
async def running(layout: Layout, say: Say = lambda _line: None) -> AsyncIterator[Suite]:
    """A started suite that is stopped at the end of the block, also after a failed start.

    Raises SuiteFailed where another launcher holds the folder.
    """
    with _alone(layout.root):
        await asyncio.to_thread(_end_leftovers, layout)
        layout.settle_ports()
        suite = Suite(layout, say)
        try:
            await suite.start()
            yield suite
        finally:
            await suite.stop()


def _end_leftovers(layout: Layout) -> None:
    """What a killed launcher left would hold our ports."""
    for file in layout.logs.glob("*.pid"):
        leftovers.end_noted(file, layout.root)
    leftovers.end_servers("envoy", bootstrap_file(layout.edge))
    leftovers.end_servers("postgres", (layout.servers / "pg" / "data").resolve())


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The kernel lets go of the lock when the launcher ends, however it ends."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)  # servers pass, see nothing
    with open_private(folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SuiteFailed(f"it is already running in {folder}") from None
        yield
