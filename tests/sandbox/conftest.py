"""A simulator on real TLS and a signed-in client for it."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest

from sandbox.certificates import Authority
from sandbox.dataverse import DataverseSimulator
from sandbox.dataverse.tokens import Secret


class Crm:
    """A plain Web API client: each method is one request with the documented headers."""

    def __init__(self, sim: DataverseSimulator, http: httpx2.AsyncClient, token: str) -> None:
        self.sim = sim
        self.http = http
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "OData-Version": "4.0",
            "OData-MaxVersion": "4.0",
        }

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = raw if body is None else json.dumps(body).encode()
        url = path if path.startswith("https:") else f"{self.sim.url}/api/data/v9.2/{path}"
        self.http.cookies.clear()
        return await self.http.request(
            method, url, content=content, headers={**self.headers, **named}
        )

    async def batch(
        self, parts: Sequence[str], *, newline: str = "\r\n", **headers: str
    ) -> httpx2.Response:
        """`parts` are the texts between the boundaries, written with \\n."""
        body = "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"
        return await self.send(
            "POST",
            "$batch",
            raw=body.replace("\n", newline).encode(),
            **{"Content-Type": "multipart/mixed; boundary=b", **headers},
        )


def part(method: str, url: str, body: Mapping[str, Any] | None = None, cid: str = "") -> str:
    """One request as the text of a batch part."""
    head = "Content-Type: application/http\nContent-Transfer-Encoding: binary\n"
    head += f"Content-ID: {cid}\n" if cid else ""
    inner = f"\n{method} {url} HTTP/1.1\n"
    return (
        head
        + inner
        + ("\n" if body is None else f"Content-Type: application/json\n\n{json.dumps(body)}")
    )


def change_set(*parts: str) -> str:
    inner = "".join(f"--c\n{text}\n" for text in parts)
    return f"Content-Type: multipart/mixed; boundary=c\n\n{inner}--c--\n"


def error(response: httpx2.Response) -> tuple[int, str, str]:
    body = response.json()["error"]
    return response.status_code, body["code"], body["message"]


async def sign_in(
    sim: DataverseSimulator, http: httpx2.AsyncClient, **changes: str
) -> httpx2.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": sim.client_id,
        "client_secret": sim.client_secret,
        "scope": sim.scope,
        **changes,
    }
    return await http.post(sim.token_url, data={k: v for k, v in form.items() if v})


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.new()


@pytest.fixture(scope="session")
async def server(authority: Authority) -> AsyncIterator[DataverseSimulator]:
    async with DataverseSimulator.serve(authority=authority) as running:
        yield running


@pytest.fixture
async def sim(server: DataverseSimulator) -> AsyncIterator[DataverseSimulator]:
    """One server for all tests, as new for each."""
    first = server.client_secret
    yield server
    server.simulation.reset()
    server.simulation.set_secrets(server.client_id, [Secret(first)])


@pytest.fixture
async def http(authority: Authority) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(verify=trusting(authority), trust_env=False) as client:
        yield client


@pytest.fixture
async def crm(sim: DataverseSimulator, http: httpx2.AsyncClient) -> Crm:
    token = (await sign_in(sim, http)).json()["access_token"]
    return Crm(sim, http, token)
