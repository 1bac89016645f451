"""The auth service as a process of its own, with the log that it writes."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from tests.eventually import eventually
from tests.services.auth.running_auth import environment, settings_in


@asynccontextmanager
async def auth_process(url: str, folder: Path, port: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the process, which writes to `folder`/log; it ends well on SIGTERM."""
    settings = environment(settings_in(folder, url)) | {
        "BULKHEAD_PORT": str(port),
        "BULKHEAD_DRAIN_S": "0",
    }
    command = [sys.executable, "-m", "services.auth"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    try:
        base_url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=base_url, timeout=60) as client:

            async def is_alive() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(is_alive, 60)
            yield client
    finally:
        process.terminate()
        process.wait(30)
    assert process.returncode in (0, -15)
