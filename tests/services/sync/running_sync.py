"""Sync as it runs, against the simulator over real TLS, with tokens of a key made for the test."""

import contextlib
import json
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from contracts.access import Grants, Scope
from contracts.credentials import AccessVerifier, Actor, claims_of
from contracts.ids import SessionId, TenantId, UserId, new_id
from contracts.permissions import PERMISSIONS
from kit import base64url, clock
from kit.http import parts_of, put
from kit.messaging import Broker
from kit.messaging.memory import MemoryBroker
from kit.notice import Notice
from kit.sealing import SigningKey, VerifyKey, new_key
from kit.tokens import KeySet, Signer, key_id
from sandbox.dataverse.recording import RecordedRequest
from services.sync.app import create_app
from services.sync.egress import CallLimits, Egress, InjectedName
from services.sync.parts import SyncParts
from services.sync.settings import SyncSettings
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.simulated_crms import HOST, SimulatedCrm

API = "/api/data/"
ISSUER = "https://bulkhead"
LIMITS = CallLimits(read_s=5.0, total_s=10.0)
KEY = SigningKey.generate()
_KEY_ID = key_id(KEY.public)


def settings_for(database_url: str, folder: Path, **changes: Any) -> SyncSettings:
    def file(name: str, text: str) -> Path:
        path = folder / name
        if not path.exists():
            path.write_text(text)
        return path

    (folder / "database-url").write_text(database_url)
    given: dict[str, Any] = {
        "port": 1,
        "database_url_file": folder / "database-url",
        "amqp_url_file": file("amqp-url", "amqp://nowhere"),
        "identity_key_file": file("identity", base64url.encode(new_key())),
        "identities_file": file("identities", json.dumps({})),
        "kek_file": file("kek", base64url.encode(new_key())),
        "auth_url": "http://auth",
        "tenants_url": "http://tenants",
        "sweep_s": 0.2,
        "settle_s": 0.01,
        "backoff_s": 0.02,
        "egress_addresses": ("198.51.100.7",),
    }
    if "batch_rows" in changes:  # a test that says how large a batch is wants none that grows
        given["batch_rows_most"] = changes["batch_rows"]
    return SyncSettings(**{**given, **changes})


def injected_name(simulator: SimulatedCrm, port: int | None = None) -> InjectedName:
    """The simulator's name, leading to it."""
    authority = simulator.authority.certificate.decode()
    return InjectedName(HOST, "127.0.0.1", port or simulator.port, authority)


def injected(simulator: SimulatedCrm, port: int | None = None) -> Egress:
    """A guard in which the simulator's name leads to it."""
    return Egress.injecting(injected_name(simulator, port), limits=LIMITS)


@dataclass
class Sync:
    """A running sync, a user's view of it, and its peers."""

    app: FastAPI
    tenant: TenantId
    peer: PeerTenants
    simulator: SimulatedCrm
    broker: MemoryBroker
    settings: SyncSettings
    http: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.as_user(self.tenant)

    def as_user(self, tenant: TenantId, *permissions: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        user = User(tenant, *permissions)
        return httpx2.AsyncClient(transport=transport, base_url="http://sync", auth=user)

    @property
    def parts(self) -> SyncParts:
        return parts_of(self.app, SyncParts)

    @property
    def path(self) -> str:
        return f"/t/{self.tenant}/v1/connections"

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """The body of a good request for a connection."""
        return {
            "name": "Our CRM",
            **self.simulator.address,
            "client_secret": self.simulator.client_secret,
            "modules": {"organisation": self.simulator.MAPPING},
        } | changes

    def apart(self, number: int) -> dict[str, Any]:
        """Modules of a connection that writes no rows of any other number's; 0 is the usual one."""
        key = self.simulator.another_key(number) if number else self.simulator.KEY
        return {"organisation": self.simulator.MAPPING | {"key_attribute": key}}

    async def connect(self, **changes: Any) -> str:
        answer = await self.http.post(self.path, json=self.wanted(**changes))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.http.get(f"{self.path}{path}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def settled(self, connection: str, deadline_s: float = 20.0, **counts: int) -> None:
        """Wait until the outcomes are exactly these."""

        async def reached() -> bool:
            body = await self.get(f"/{connection}")
            found: dict[str, int] = body["outcomes"]
            return found == counts

        try:
            await eventually(reached, deadline_s)
        except AssertionError:
            raise AssertionError(f"{await self.get(f'/{connection}')}") from None

    async def tell(self, notice: Notice) -> None:
        await self.broker.publish(notice.to_message(source="/test"))

    def batches(self) -> list[list[tuple[str, dict[str, Any]]]]:
        """(url, body) of every row of every call with rows that the simulator received."""
        calls = [written(request) for request in self.simulator.requests(API)]
        return [rows for rows in calls if rows]

    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        return [row for batch in self.batches() for row in batch]


def written(request: RecordedRequest) -> list[tuple[str, dict[str, Any]]]:
    """The rows that a request writes: where to, and what."""
    if request.target.endswith("Multiple"):
        targets = json.loads(request.body)["Targets"]
        return [(target.pop("@odata.id", ""), _columns(target)) for target in targets]
    if request.method == "GET":
        return []
    return [
        (url, json.loads(body or b"{}"))
        for method, url, body in request.operations()
        if method != "GET"
    ]


def _columns(target: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in target.items() if name != "@odata.type"}


class User(httpx2.Auth):
    """One person's session, with a fresh token at every request: a long run outlives each."""

    def __init__(self, tenant: TenantId, *permissions: str) -> None:
        grants = Grants(PERMISSIONS, dict.fromkeys(permissions or PERMISSIONS, Scope.ALL))
        self._actor = Actor("tenant", UserId(new_id()), tenant, SessionId(new_id()), 80, grants)

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        now = int(clock.now().timestamp())
        times = {"iss": ISSUER, "aud": "bulkhead", "iat": now, "exp": now + 300}
        token = Signer(KEY, _KEY_ID).sign(claims_of(self._actor, 1) | times)
        request.headers["Authorization"] = f"Bearer {token}"
        yield request


@contextlib.asynccontextmanager
async def running_sync(
    database_url: str,
    folder: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    *,
    egress: Egress | None = None,
    **changes: Any,
) -> AsyncIterator[Sync]:
    settings = settings_for(database_url, folder, **changes)
    async with running_on(None, settings, simulator, peer, egress) as sync:
        yield sync


@contextlib.asynccontextmanager
async def running_on(
    real: Broker | None,
    settings: SyncSettings,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    egress: Egress | None,
) -> AsyncIterator[Sync]:
    """With a real broker, or with that of the answer."""
    memory, client = MemoryBroker(), peer.client()
    broker: Broker = real or memory
    app = create_app(settings, egress=egress or injected(simulator), broker=broker, tenants=client)

    async def fetch() -> dict[str, VerifyKey]:
        return {_KEY_ID: KEY.public}

    put(app, AccessVerifier(KeySet(fetch), ISSUER))
    async with app.router.lifespan_context(app):
        sync = Sync(app, peer.tenant, peer, simulator, memory, settings)
        try:
            yield sync
        finally:
            await sync.http.aclose()
    await client.aclose()
    await memory.close()
