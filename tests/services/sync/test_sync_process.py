"""The process: it starts, serves and stops with its database alone; other parts may be down."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2

from tests.eventually import eventually
from tests.services.sync.running_sync import settings_for


async def test_the_process_serves_without_broker_and_peers_and_says_so_in_readyz(
    sync_url: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    settings = settings_for(sync_url, tmp_path)
    given = settings.model_dump(mode="json", exclude_none=True)
    (tmp_path / "amqp-url").write_text("amqp://guest:guest@127.0.0.1:1/")
    port = free_port()
    changed = {"port": port, "tenants_url": "http://127.0.0.1:1", "auth_url": "http://127.0.0.1:1"}
    environment = {
        f"BULKHEAD_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in (given | changed).items()
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "services.sync"],
        cwd=Path(__file__).parents[3],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/livez")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers)
            ready = await http.get("/readyz")
            assert ready.status_code == 503
            checks = ready.json()["checks"]
            assert (checks["database"], checks["broker"]) == ("ok", "nothing listens there")
            addresses = await http.get("/v1/egress-addresses")
            assert addresses.json() == {"addresses": ["198.51.100.7"]}
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM)
        assert "Application shutdown complete" in log.decode()
    finally:
        process.kill()
        process.communicate()
