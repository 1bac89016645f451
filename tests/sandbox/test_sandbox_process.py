import asyncio
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sandbox.certificates import Authority
from tests.sandbox.conftest import trusting


class Process:
    """The simulator as a process; what a launcher knows of it."""

    def __init__(self, state: Path, process: asyncio.subprocess.Process, url: str) -> None:
        self.state = state
        self.process = process
        self.url = url

    def control(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.state / 'control-token').read_text()}"}

    async def sign_in(self, http: httpx2.AsyncClient, scope: str) -> dict[str, Any]:
        known = json.loads((self.state / "credentials.json").read_text())
        ((client_id, (secret,)),) = known["applications"].items()
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret["value"],
            "scope": scope,
        }
        answer = await http.post(f"{self.url}/{known['directory']}/oauth2/v2.0/token", data=form)
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def running(state: Path, tls: Path, port: int, *more: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox.dataverse", "--port", str(port), "--state", str(state)),
        *("--cert", str(tls / "cert.pem"), "--key", str(tls / "key.pem")),
        *("--name", "org.crm.example", *more),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), 20)
    assert b"Dataverse simulator on https://" in line, line + await process.stderr.read()
    try:
        yield Process(state, process, line.decode().split()[-1])
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


@pytest.fixture
def tls(tmp_path: Path, authority: Authority) -> Path:
    identity = authority.issue("org.crm.example", "localhost", "127.0.0.1")
    identity.write(tmp_path / "cert.pem", tmp_path / "key.pem")
    authority.identity().write(tmp_path / "ca.pem", tmp_path / "ca.key")
    return tmp_path


async def test_rows_requests_and_tokens_outlive_a_kill(
    tmp_path: Path, tls: Path, http: httpx2.AsyncClient
) -> None:
    state = tmp_path / "state"
    async with running(state, tls, 0) as first:
        token = await first.sign_in(http, "https://org.crm.example/.default")
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        path = "/api/data/v9.2/accounts(bulkhead_symbol='A')"
        body = {"name": "kept"}
        assert (await http.patch(first.url + path, json=body, headers=bearer)).status_code == 204
        first.process.kill()
        await first.process.wait()
    async with running(state, tls, 0) as second:
        assert (await http.get(second.url + path, headers=bearer)).json()["name"] == "kept"
        control = second.control()
        tables = await http.get(f"{second.url}/_sandbox/tables", headers=control)
        assert tables.json() == {"accounts": 1, "bulkhead_holdings": 0, "contacts": 0}
        requests = (await http.get(f"{second.url}/_sandbox/requests", headers=control)).json()
        assert [r["method"] for r in requests] == ["POST", "PATCH", "GET"]
        second.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.process.wait(), 20) == 0


async def test_a_log_cut_off_by_a_crash_loses_only_its_last_line(
    tmp_path: Path, tls: Path, http: httpx2.AsyncClient
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    row = {"accountid": "1", "versionnumber": 5, "name": "whole"}
    lines = json.dumps([["accounts", "1", row]]) + '\n[["accounts","2",{"na'
    (state / "rows.jsonl").write_text(lines)
    async with running(state, tls, 0) as process:
        rows = await http.get(f"{process.url}/_sandbox/tables/accounts", headers=process.control())
        assert rows.json() == [{**row, "statecode": 0, "statuscode": 1}]


async def test_the_control_api_needs_its_token_and_switches_behaviours(
    tmp_path: Path, tls: Path, http: httpx2.AsyncClient
) -> None:
    async with running(tmp_path / "state", tls, 0) as process:
        url, control = f"{process.url}/_sandbox", process.control()
        assert (await http.get(f"{url}/tables")).status_code == 401
        wrong = await http.patch(f"{url}/switches", json={"no_such": 1}, headers=control)
        assert wrong.status_code == 400
        body = {"token_lifetime_s": 5}
        switched = await http.patch(f"{url}/switches", json=body, headers=control)
        assert switched.json()["token_lifetime_s"] == 5
        token = await process.sign_in(http, "https://org.crm.example/.default")
        assert token["expires_in"] == 5
        limits = await http.put(f"{url}/throttle", json={"requests": 1}, headers=control)
        assert limits.json()["requests"] == 1
        fault = {"kind": "status", "status": 500}
        assert (await http.post(f"{url}/faults", json=fault, headers=control)).json()["id"] == 1
        secrets = {"secrets": [{"value": "next"}]}
        client = await http.put(f"{url}/applications/app", json=secrets, headers=control)
        assert client.json() == {"client_id": "app", "secrets": 1, "certificates": 0}
        await _change_tables(http, url, control)
        assert (await http.post(f"{url}/reset", headers=control)).json() == {"reset": True}
        assert (await http.get(f"{url}/faults", headers=control)).json() == []
        throttle = (await http.get(f"{url}/throttle", headers=control)).json()
        assert (throttle["refused"], throttle["early"]) == (0, [])


async def _change_tables(http: httpx2.AsyncClient, url: str, control: dict[str, str]) -> None:
    """Every route that changes tables and rows, by its answer."""
    for method, path, body, answer in (
        ("POST", "snapshots", None, {"snapshot": 1}),
        ("PATCH", "tables/accounts", {"bulk_actions": False}, {"changed": ["bulk_actions"]}),
        ("POST", "tables/accounts/columns", {"name": "new", "type": "memo"}, {"added": "new"}),
        ("PATCH", "tables/accounts/columns/new", {"max_length": 9}, {"changed": ["max_length"]}),
        ("DELETE", "tables/accounts/columns/new", None, {"dropped": "new"}),
        (
            "DELETE",
            "tables/accounts/columns/bulkhead_tier/options/Gold",
            None,
            {"removed": "Gold"},
        ),
        ("DELETE", "tables/accounts/rows?name=n", None, {"deleted": 0}),
        ("DELETE", "tables/contacts", None, {"dropped": "contacts"}),
        ("POST", "snapshots/1", None, {"restored": 1}),
        ("DELETE", "counters", None, {}),
        ("GET", "counters", None, {}),
    ):
        found = await http.request(method, f"{url}/{path}", json=body, headers=control)
        assert (path, found.json()) == (path, answer)
    wrong = await http.post(f"{url}/snapshots/7", headers=control)
    assert wrong.status_code == 400


async def shake_hands(port: int, context: ssl.SSLContext) -> None:
    """A TLS handshake as a client of the organisation's name does it."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="org.crm.example"
    )
    writer.close()
    await writer.wait_closed()


async def test_the_process_presents_the_certificate_that_is_switched_on(
    tmp_path: Path, tls: Path, authority: Authority
) -> None:
    state, context = tmp_path / "state", trusting(authority)
    pair = (str(tls / "ca.pem"), str(tls / "ca.key"))
    async with running(state, tls, 0, "--authority", *pair) as process:
        port = int(process.url.rpartition(":")[2])
        control = httpx2.AsyncClient(
            verify=context,
            trust_env=False,
            headers=process.control(),
            base_url=f"https://localhost:{port}",
        )
        async with control:
            for kind in ("self-signed", "expired", "wrong-host", "valid"):
                body = {"certificate": kind}
                (await control.patch("/_sandbox/switches", json=body)).raise_for_status()
                if kind == "valid":
                    await shake_hands(port, context)
                    continue
                with pytest.raises(ssl.SSLCertVerificationError):
                    await shake_hands(port, context)
    assert (state / "control-token").stat().st_mode & 0o777 == 0o600
    assert (state / "credentials.json").stat().st_mode & 0o777 == 0o600
