"""Real parts for all tests: PostgreSQL, RabbitMQ, certificates; one of each per test process."""

import contextlib
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme
from xdist.scheduler import LoadScopeScheduling

from contracts import log_fields
from kit import logs, telemetry
from kit.db import Database
from kit.migrate import migrate
from ops.bootstrap import SERVICES, bootstrap, role_of
from ops.local.postgres import LocalPostgres
from ops.local.rabbitmq import RabbitMq
from ops.local.rabbitmq_install import ensure_installed
from tests.ports import PORTS

ROOT = Path(__file__).parents[1]
_SERVERS = {"scratch", "free_port"}
logs.name_fields(log_fields.FIELDS)
logs.Log.refuses = True
telemetry.Span.refuses = True
# copies of control databases, one per test, are named bulkhead_<service>_<random>
_TEST_HBA = "\n".join(
    f"host /^{role_of(name)}_[a-z0-9]+$ {role} all scram-sha-256"
    for name in SERVICES
    for role in (role_of(name), "bulkhead_relay")
)
_FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's level comes from the fixtures it asks for."""
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


class JourneysTogether(LoadScopeScheduling):
    """Journeys run in one process, because they share a suite; all others where there is room.

    xdist's own groups are marks within node ids, which pytest 9.2 no longer lets a plugin change.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "journeys" if nodeid.startswith("tests/journeys/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> JourneysTogether:
    return JourneysTogether(config, log)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that servers under their own accounts can reach (pytest's own is closed).

    In memory where there is room: creating databases is mostly the opening of small files.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30
    folder = Path(tempfile.mkdtemp(prefix="bulkhead-test-", dir=memory if roomy else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    return PORTS.free


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """A throw-away certificate authority."""
    return trustme.CA()


@dataclass
class Cluster:
    """A running, bootstrapped PostgreSQL."""

    server: LocalPostgres
    passwords: dict[str, str]
    templates: dict[str, str] = field(default_factory=dict)

    @property
    def superuser_url(self) -> str:
        return self.server.superuser_url

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def port(self) -> int:
        return self.server.port

    def url(self, service: str, database: str | None = None) -> str:
        """As the role of a service (or "relay"), in its own database or another."""
        return self.server.url(role_of(service), self.passwords[service], database)

    async def superuser(self, database: str = "postgres") -> Any:
        return await asyncpg.connect(self.superuser_url, database=database, timeout=10)

    async def execute(self, sql: str) -> None:
        connection = await self.superuser()
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def fresh(self, service: str) -> str:
        """The url of a new, migrated copy of the service's control database."""
        template = await self._template(service)
        name = f"{role_of(service)}_{secrets.token_hex(4)}"
        role = role_of(service)
        await self.execute(f"CREATE DATABASE {name} OWNER {role} TEMPLATE {template}")
        await self.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        await self.execute(f"GRANT CONNECT ON DATABASE {name} TO bulkhead_relay")
        return self.url(service, name)

    async def drop(self, url: str) -> None:
        await self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    async def _template(self, service: str) -> str:
        if service not in self.templates:
            folder = "gateway" if service == "gateway" else f"services/{service}"
            name = f"{role_of(service)}_template"
            role = role_of(service)
            await self.execute(f"CREATE DATABASE {name} OWNER {role} TEMPLATE template0")
            await migrate(self.url(service, name), ROOT / folder / "migrations")
            self.templates[service] = name
        return self.templates[service]


@pytest.fixture(scope="session")
async def cluster(scratch: Path) -> AsyncIterator[Cluster]:
    server = LocalPostgres(scratch / "pg", PORTS.free(), extra=_FAST, extra_hba=_TEST_HBA)
    await server.start()
    passwords = {name: secrets.token_urlsafe(32) for name in (*SERVICES, "relay")}
    try:
        await bootstrap(server.superuser_url, passwords)
        yield Cluster(server, passwords)
    finally:
        server.stop()


@pytest.fixture
async def service_db(cluster: Cluster) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """`await service_db("auth")` gives the url of a fresh control database for this test."""
    made: list[str] = []

    async def make(service: str) -> str:
        made.append(await cluster.fresh(service))
        return made[-1]

    yield make
    for url in made:
        await cluster.drop(url)


@pytest.fixture
async def open_db() -> AsyncIterator[Callable[[str], Database]]:
    """`open_db(url)` gives a Database that is closed after the test."""
    async with contextlib.AsyncExitStack() as stack:

        def make(url: str) -> Database:
            database = Database(url)
            stack.push_async_callback(database.close)
            return database

        yield make


@pytest.fixture(scope="session")
def rabbitmq(scratch: Path) -> Iterator[RabbitMq]:
    """A private RabbitMQ node; tests that kill it start it again."""
    ensure_installed()
    node = RabbitMq(scratch / "rabbitmq", PORTS)
    node.start()
    yield node
    node.stop()


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere else than this machine fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise OSError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
