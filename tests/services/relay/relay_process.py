"""`python -m services.relay` as a process, and what its health and its metrics say."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from ops.programs import METRICS_OFFSET


class RelayProcess:
    def __init__(self, folder: Path, port: int, urls: dict[str, str], amqp_url: str) -> None:
        self._port, self._folder = port, folder
        (folder / "urls").mkdir()
        for name, url in urls.items():
            (folder / "urls" / name).write_text(f"{url}\n")
        (folder / "amqp").write_text(amqp_url)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "BULKHEAD_PORT": str(self._port),
            "BULKHEAD_METRICS_PORT": str(self._port + METRICS_OFFSET),
            "BULKHEAD_OUTBOX_URLS_DIR": str(self._folder / "urls"),
            "BULKHEAD_AMQP_URL_FILE": str(self._folder / "amqp"),
        }
        with (self._folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "services.relay"]
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)

    def end(self, sign: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(20)

    async def health(self, path: str = "/readyz") -> dict[str, Any]:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self._port}") as client:
            answer = (await client.get(path)).json()
        return dict(answer)

    async def status(self) -> int:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self._port}") as client:
            return (await client.get("/readyz")).status_code

    async def is_up(self) -> bool:
        with contextlib.suppress(httpx2.TransportError):
            return (await self.health("/livez")) == {"status": "alive"}
        return False

    async def is_ready(self) -> bool:
        with contextlib.suppress(httpx2.TransportError):
            return bool((await self.health())["ready"])
        return False

    async def metric(self, name: str, label: str) -> dict[str, float]:
        """The samples of a metric by one of its labels, as a scrape finds them now."""
        url = f"http://127.0.0.1:{self._port + METRICS_OFFSET}/metrics"
        async with httpx2.AsyncClient() as client:
            text = (await client.get(url)).text
        return {
            sample.labels[label]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }
