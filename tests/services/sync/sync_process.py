"""Another sync of the same installation, as a process of its own that can be killed."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from kit.tokens import to_jwks
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import KEY, Sync
from tests.services.sync.simulated_crms import HOST

ROOT = Path(__file__).parents[3]


@dataclass
class SyncProcess:
    """`services` is where tenants and the keys of auth answer; it has no broker."""

    beside: Sync
    services: str
    free_port: Callable[[], int]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _url: str = field(default="", init=False)
    _log: Path = field(default=Path(), init=False)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    async def start(self) -> str:
        """Its address, as soon as it answers."""
        url, process = self.begin(), self._process
        assert process is not None

        async def answers() -> bool:
            assert process.poll() is None, self._log.read_text()[-3000:]
            return await self.is_live()

        await eventually(answers, 60.0)
        return url

    async def is_live(self) -> bool:
        """Whether it answers."""
        if self._process is None:
            return False
        async with httpx2.AsyncClient(base_url=self._url, trust_env=False) as http:
            with contextlib.suppress(httpx2.TransportError):
                return (await http.get("/livez")).status_code == 200
        return False

    def begin(self) -> str:
        """Its address; it answers in a while."""
        port = self.free_port()
        given = self.beside.settings.model_dump(mode="json", exclude_none=True)
        changed = {"port": port, "tenants_url": self.services, "auth_url": self.services}
        environment = {
            f"BULKHEAD_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in (given | changed).items()
        }
        there = self.beside.simulator
        authority = self.beside.settings.kek_file.with_name("authority.pem")
        authority.write_bytes(there.authority.certificate)
        self._log = authority.with_name(f"sync-{port}.log")
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ops.local.sync", HOST, str(there.port), str(authority)],
                cwd=ROOT,
                env=os.environ | environment,
                stderr=stderr,
            )
        self._url = f"http://127.0.0.1:{port}"
        return self._url

    def peak_kib(self) -> int:
        """The most memory that it has had so far."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    def kill(self) -> None:
        """As `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def services_of(peer: PeerTenants) -> FastAPI:
    """What the process asks of others: tenants, and the keys of auth."""
    app = peer.app()

    @app.get("/.well-known/jwks.json")
    async def keys() -> dict[str, Any]:
        return to_jwks([KEY.public])

    return app
