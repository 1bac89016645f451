"""The whole tenants service as tests talk to it: an operator, the other services, a user."""

import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
from fastapi import FastAPI

from contracts.access import Grants, Scope
from contracts.credentials import (
    ACCESS_AUDIENCE,
    Actor,
    ServiceAuth,
    claims_of,
)
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import OPERATOR_PERMISSIONS, PERMISSIONS
from kit.chassis import Made
from kit.db import Database
from kit.http import parts_of, put
from kit.messaging import Broker
from kit.sealing import SigningKey
from kit.tokens import Signer
from services.tenants.databases.space import Space
from services.tenants.parts import TenantsParts
from tenantdb.cluster import Cluster

ISSUER = "https://bulkhead"
PEERS = ("auth", "sync", "backup", "gateway")


@dataclass
class Suite:
    """The service with its callers; `database` is its control database."""

    app: FastAPI
    hands: Cluster
    signer: Signer
    peers: dict[str, SigningKey]
    database: Any

    @property
    def parts(self) -> TenantsParts:
        """What its routes work with."""
        return parts_of(self.app, TenantsParts)

    @property
    def db(self) -> Database:
        """The control database in the service's own hands."""
        return parts_of(self.app, Database)

    @property
    def broker(self) -> Broker:
        """Where notices of others come from."""
        return parts_of(self.app, Made).broker

    def use(self, space: Space) -> None:
        """Put other walls of space in place of the service's."""
        put(self.app, replace(self.parts, space=space))

    async def operator(
        self, method: str, path: str, body: Any = None, grants: tuple[str, ...] | None = None
    ) -> httpx2.Response:
        """As an operator with all permissions, or these."""
        given = OPERATOR_PERMISSIONS if grants is None else grants
        actor = self._actor("operators", None, OPERATOR_PERMISSIONS, given)
        return await self._call(method, path, body, self._token(actor))

    async def user(
        self,
        tenant: UUID,
        method: str,
        path: str,
        body: Any = None,
        *,
        of: UUID | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """As an administrator of `of` (the same tenant unless given) below /t/{tenant}/v1."""
        actor = self._actor("tenant", of or tenant, PERMISSIONS, PERMISSIONS)
        url = f"/t/{tenant}/v1{path}"
        return await self._call(method, url, body, self._token(actor), **headers)

    async def peer(self, name: str, method: str, path: str, body: Any = None) -> httpx2.Response:
        """As another service below /internal."""
        token = ServiceAuth(self.peers[name], name, "tenants").token()
        return await self._call(method, f"/internal{path}", body, token)

    async def register(self, tenant: UUID, connection: UUID, fields: list[str]) -> None:
        """Sync says that a connection maps these fields of organisations."""
        body = {"modules": {"organisation": fields}}
        path = f"/tenants/{tenant}/connections/{connection}"
        answer = await self.peer("sync", "PUT", path, body)
        assert answer.status_code == 204, answer.text

    async def tenant(self, name: str = "Acme") -> TenantId:
        """A new tenant."""
        answer = await self.operator("POST", "/v1/tenants", {"name": name})
        assert answer.status_code == 201, answer.text
        return TenantId(UUID(answer.json()["id"]))

    async def name_of(self, tenant: UUID) -> str:
        """The tenant's database."""
        name = await self.database.fetchval("SELECT database FROM tenant WHERE id = $1", tenant)
        return str(name)

    async def topics(self) -> list[str]:
        """What waits in the outbox, oldest first."""
        rows = await self.database.fetch("SELECT topic FROM outbox ORDER BY seq")
        return [row["topic"] for row in rows]

    def _actor(
        self, realm: Any, tenant: UUID | None, catalogue: tuple[str, ...], given: tuple[str, ...]
    ) -> Actor:
        grants = Grants(catalogue, dict.fromkeys(given, Scope.ALL))
        whose = None if tenant is None else TenantId(tenant)
        return Actor(realm, UserId(uuid4()), whose, SessionId(uuid4()), 80, grants)

    def _token(self, actor: Actor) -> str:
        now = int(time.time())
        times = {"iss": ISSUER, "aud": ACCESS_AUDIENCE, "iat": now, "exp": now + 300}
        return self.signer.sign(claims_of(actor, 1) | times)

    async def _call(
        self, method: str, path: str, body: Any, token: str, **more: str
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        headers["authorization"] = f"Bearer {token}"
        async with httpx2.AsyncClient(transport=transport, base_url="http://tenants") as client:
            return await client.request(method, path, json=body, headers=headers)


async def open_lease(lease: dict[str, Any]) -> Any:
    return await asyncpg.connect(
        host=lease["host"],
        port=lease["port"],
        user=lease["user"],
        password=lease["password"],
        database=lease["database"],
        timeout=10,
    )


async def dump_lease(suite: Suite, tenant: UUID) -> dict[str, Any]:
    answer = await suite.peer("backup", "POST", f"/tenants/{tenant}/leases", {"purpose": "dump"})
    assert answer.status_code == 201, answer.text
    lease: dict[str, Any] = answer.json()
    return lease


async def has_role(suite: Suite, lease: dict[str, Any]) -> bool:
    found = await suite.database.fetchval(
        "SELECT true FROM pg_roles WHERE rolname = $1", lease["user"]
    )
    return bool(found)
