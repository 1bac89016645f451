"""What the edge's tests share: real upstreams, and the running edge as a client sees it."""

import asyncio
import contextlib
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx2
import uvicorn

from contracts.access import Grants, Scope
from contracts.credentials import Actor, claims_of
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import ALL_PERMISSIONS
from gateway import envoy_files
from gateway.edge import render_lists
from gateway.envoy import allowlist_matcher
from gateway.envoy_admin import EnvoyAdmin
from gateway.settings import GatewaySettings
from kit.sealing import SigningKey
from kit.tokens import Signer
from kit.tokens.jwks import key_id, to_jwks
from tests.eventually import eventually

TENANT = UUID("0190aaaa-0000-7000-8000-00000000000a")
OTHER = UUID("0190bbbb-0000-7000-8000-00000000000b")
USER = UUID("0190cccc-0000-7000-8000-00000000000c")
HERE = "127.0.0.1/32"
RECORDS = f"/t/{TENANT}/v1/records/organisation"


class Server(uvicorn.Server):
    """uvicorn inside the test's loop; the test runner keeps its signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: Any, port: int, *, lifespan: Any = "off") -> AsyncIterator[None]:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, lifespan=lifespan, log_config=None, access_log=False
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@dataclass
class Upstreams:
    """Five services that answer what they were asked; auth publishes `keys`,
    tenants its directory `tenants` (id -> state)."""

    ports: dict[str, int]
    keys: list[SigningKey] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    tenants: dict[UUID, str] = field(default_factory=dict)

    def app(self, name: str) -> Any:
        async def echo(scope: Any, receive: Any, send: Any) -> None:
            size, more = 0, True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return  # gone before its body was whole: no service saw this request
                size, more = size + len(message.get("body", b"")), message.get("more_body", False)
            answer = self._answer(name, scope, size)
            if scope["path"] not in {"/livez", "/.well-known/jwks.json"}:  # the edge asks by itself
                self.seen.append(answer)
            if scope["query_string"] == b"never":
                await receive()  # until the edge has given up
                return
            headers = [(b"content-type", b"application/json"), (b"server", b"secret/1.2")]
            if scope["query_string"] == b"etag":
                headers.append((b"etag", b'"7"'))
            if scope["query_string"] == b"cache":
                headers.append((b"cache-control", b"public, max-age=30"))
            if scope["query_string"] == b"policy":
                headers.append((b"content-security-policy", b"script-src *"))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["query_string"] == b"slow":
                await asyncio.sleep(0.5)
            body = json.dumps(answer).encode()
            if scope["query_string"].startswith(b"bytes="):
                body += b" " * int(scope["query_string"][6:])
            await send({"type": "http.response.body", "body": body})

        return echo

    def _answer(self, name: str, scope: Any, size: int) -> dict[str, Any]:
        if scope["path"] == "/.well-known/jwks.json":
            return to_jwks(key.public for key in self.keys)
        if scope["path"] == "/internal/tenants":
            return {"tenants": [{"id": str(i), "state": s} for i, s in self.tenants.items()]}
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        return {"service": name, "path": scope["path"], "headers": headers, "size": size}


def claims(settings: GatewaySettings, tenant: UUID | None, **other: Any) -> dict[str, Any]:
    """The claims of an administrator of the tenant; of an operator where it is None.

    `other` replaces claims; None takes one away.
    """
    now = int(time.time())
    realm: Literal["tenant", "operators"] = "tenant" if tenant else "operators"
    catalogue = ALL_PERMISSIONS[realm]
    grants = Grants(catalogue, dict.fromkeys(catalogue, Scope.ALL))
    session = SessionId(UUID(int=1))
    actor = Actor(realm, UserId(USER), TenantId(tenant) if tenant else None, session, 80, grants)
    usual = {"iss": settings.issuer, "aud": "bulkhead", "iat": now, "exp": now + 300}
    merged = {**usual, **claims_of(actor, 1), **other}
    return {name: value for name, value in merged.items() if value is not None}


@dataclass
class EdgeUnderTest:
    """The edge as a client sees it, and the means to change its lists."""

    settings: GatewaySettings
    upstreams: Upstreams
    trust: ssl.SSLContext
    key: SigningKey
    log: Path
    authority: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.settings.edge_port}"

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.settings.edge_port}"

    def token(self, tenant: UUID | None, key: SigningKey | None = None, **other: Any) -> str:
        signing = key or self.key
        return Signer(signing, key_id(signing.public)).sign(claims(self.settings, tenant, **other))

    @contextlib.asynccontextmanager
    async def client(self, source: str = "127.0.0.1") -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.AsyncHTTPTransport(verify=self.trust, local_address=source)
        async with httpx2.AsyncClient(
            transport=transport, base_url=self.address, timeout=10
        ) as client:
            yield client

    async def call(
        self,
        path: str,
        token: str | None = None,
        *,
        method: str = "GET",
        source: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
        content: Any = None,
        json: Any = None,
    ) -> httpx2.Response:
        sent = dict(headers or {}) | ({"authorization": f"Bearer {token}"} if token else {})
        async with self.client(source) as client:
            return await client.request(method, path, headers=sent, content=content, json=json)

    async def raw(self, request: bytes, *, source: str = "127.0.0.1") -> str:
        """All that the edge answers on a connection of its own until it closes it."""
        reader, writer = await asyncio.open_connection(
            "localhost", self.settings.edge_port, ssl=self.trust, local_addr=(source, 0)
        )
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.transport.abort()
        return answer.decode()

    async def stat(self, name: str) -> int:
        """One number of Envoy's own."""
        uds = httpx2.AsyncHTTPTransport(uds=str(self.settings.admin_socket))
        async with httpx2.AsyncClient(transport=uds, base_url="http://envoy") as admin:
            answer = await admin.get("/stats", params={"filter": f"^{re.escape(name)}$"})
        return int(answer.text.rpartition(": ")[2])

    async def log_line(self, answer: httpx2.Response) -> dict[str, Any]:
        """The line of the access log that tells of an answer."""
        log, request_id = self.settings.access_log, answer.headers["x-request-id"]
        await eventually(lambda: request_id in log.read_text())
        line = next(one for one in log.read_text().splitlines() if request_id in one)
        found: dict[str, Any] = json.loads(line)
        return found

    async def set_lists(
        self, tenants: Mapping[UUID, Sequence[str]], everyone: Sequence[str] = ("127.0.0.0/8",)
    ) -> None:
        """Publish these lists and return when Envoy has them in force."""
        files = render_lists(everyone, {str(key): ranges for key, ranges in tenants.items()})
        for name, content in files.items():
            envoy_files.write(self.settings.edge_dir / f"{name}.pb", content)
        wanted = {name: allowlist_matcher.version(content) for name, content in files.items()}
        async with EnvoyAdmin(self.settings.admin_socket) as admin:
            assert await admin.await_versions(wanted, deadline_s=30)


MakeSettings = Callable[..., GatewaySettings]
StartEdge = Callable[..., contextlib.AbstractAsyncContextManager[EdgeUnderTest]]


def assert_problem(answer: httpx2.Response, status: int, kind: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, kind)
    assert body["title"]
