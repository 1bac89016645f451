"""A PostgreSQL of a benchmark's own, with the control databases of services."""

import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.cpu import children, spent_s
from kit.migrate import migrate
from ops.bootstrap import SERVICES, bootstrap, role_of
from ops.local.ports import Ports
from ops.local.postgres import LocalPostgres
from tenantdb import names

_FAST = "autovacuum = off\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off"
_SERVICES = Path(__file__).parents[1] / "services"


@dataclass(frozen=True)
class Ground:
    """A server with the control databases of tenants and backup."""

    server: LocalPostgres
    passwords: dict[str, str]
    folder: Path

    def url(self, service: str) -> str:
        return self.server.url(role_of(service), self.passwords[service])

    def cpu_s(self) -> float:
        """Of this process, and of PostgreSQL with all sessions that have ended."""
        assert self.server.pid is not None
        return time.process_time() + spent_s(self.server.pid)

    def server_s(self) -> float:
        """Of PostgreSQL with all its sessions, those that last among them."""
        assert self.server.pid is not None
        return spent_s(self.server.pid) + sum(map(spent_s, children(self.server.pid)))


@contextlib.asynccontextmanager
async def prepared(*services: str) -> AsyncIterator[Ground]:
    """With the migrated control databases of these services."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = LocalPostgres(folder / "pg", Ports().free(), extra=_FAST)
        await server.start()
        try:
            passwords = {service: names.password() for service in (*SERVICES, "relay")}
            await bootstrap(server.superuser_url, passwords)
            ground = Ground(server, passwords, folder)
            for service in services:
                await migrate(ground.url(service), _SERVICES / service / "migrations")
            yield ground
        finally:
            server.stop()
