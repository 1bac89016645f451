"""A command of the command line against a server that is made to say anything."""

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from ops.cli import _run
from tests.ops.told import LOGIN, TENANT
from tests.services.sync.tls_server import serving


@pytest.fixture
def context(ca) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(made)
    return made


@pytest.fixture
def asked_for() -> list[str]:
    """The requests that the server of `told` has had."""
    return []


@pytest.fixture
def told(tmp_path, ca, context, capsys, asked_for) -> Callable[..., Any]:
    """Runs a command against a server that always gives this answer: code, stdout, stderr."""

    def credentials(port: int, trusted: trustme.CA) -> Path:
        trusted.cert_pem.write_to_path(tmp_path / "ca.pem")
        known = {"url": f"https://127.0.0.1:{port}", "ca": str(tmp_path / "ca.pem")}
        file: Path = tmp_path / "credentials.json"
        file.write_text(
            json.dumps(known | {"operator": LOGIN, "tenants": {TENANT: LOGIN | {"name": "A"}}})
        )
        file.chmod(0o600)
        return file

    async def run(
        bytes_: bytes, *words: str, trusted: trustme.CA = ca, tls: bool = True
    ) -> tuple[int, str, str]:
        async with serving(bytes_, context if tls else None) as server:
            file = credentials(server.port, trusted)
            code = await asyncio.to_thread(_run, ["--credentials", str(file), *words])
        asked_for.extend(request.decode() for request in server.requests)
        done = capsys.readouterr()
        return code, done.out, done.err

    return run
