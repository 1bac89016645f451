"""A tenant with a real database behind the routes of records; tokens are signed by a test key."""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from contracts.access import Grants, Scope
from contracts.credentials import (
    ACCESS_AUDIENCE,
    AccessVerifier,
    Actor,
    CallerVerifier,
    ServiceAuth,
    claims_of,
)
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import PERMISSIONS
from kit.db import Database
from kit.http import build_app, put
from kit.sealing import SigningKey
from kit.tokens import KeySet, Signer
from services.tenants.databases.space import Space
from services.tenants.feed.announce import Notices
from services.tenants.parts import RecordsParts
from services.tenants.records.many.slots import Uploads
from services.tenants.routes import (
    changes,
    connections,
    field_choices,
    many_records,
    modules,
    single_records,
)
from tenantdb import Address, TenantDatabases, names, provision, template
from tenantdb.cluster import Cluster
from tests.services.tenants.client_stages import MAPPED

ISSUER = "https://test"
ROUTES = (modules, many_records, single_records, field_choices, connections, changes)
EVERYTHING = dict.fromkeys(PERMISSIONS, Scope.ALL)


@dataclass
class Api:
    """A client of one tenant's routes in the name of one user with certain grants."""

    app: FastAPI
    tenant: TenantId
    signer: Signer
    service_key: SigningKey
    chain: str
    user: UUID = field(default_factory=uuid4)
    grants: dict[str, Scope] = field(default_factory=lambda: dict(EVERYTHING))

    def as_user(self, user: UUID | None = None, **grants: Scope) -> "Api":
        """Another user; grants are named organisation_view=Scope.OWN and so on."""
        named = {name.replace("_", ".", 1): scope for name, scope in grants.items()}
        return replace(self, user=user or uuid4(), grants=named)

    def of_tenant(self, tenant: UUID) -> "Api":
        return replace(self, tenant=TenantId(tenant))

    def token(self) -> str:
        actor = Actor(
            "tenant",
            UserId(self.user),
            self.tenant,
            SessionId(uuid4()),
            80,
            Grants(PERMISSIONS, self.grants),
        )
        now = int(time.time())
        times = {"iss": ISSUER, "aud": ACCESS_AUDIENCE, "iat": now, "exp": now + 300}
        return self.signer.sign(claims_of(actor, 1) | times)

    async def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A request below /t/{tenant}/v1; `headers` are added to the token's."""
        headers = {"authorization": f"Bearer {self.token()}"} | options.pop("headers", {})
        return await self.raw(method, f"/t/{self.tenant}/v1{path}", headers=headers, **options)

    async def internal(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A request of the sync service below /internal/tenants/{tenant}."""
        auth = ServiceAuth(self.service_key, "sync", "tenants")
        return await self.raw(
            method, f"/internal/tenants/{self.tenant}{path}", auth=auth, **options
        )

    async def register(self, connection: Any, **modules: list[str]) -> None:
        """Sync says what a connection maps: this, or all fields of both modules."""
        body = {"modules": modules or MAPPED}
        answer = await self.internal("PUT", f"/connections/{connection}", json=body)
        assert answer.status_code == 204, answer.text

    async def raw(self, method: str, path: str, **options: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)

    async def create(
        self, fields: dict[str, Any], module: str = "organisation", **more: Any
    ) -> Any:
        answer = await self.call("POST", f"/records/{module}", json={"fields": fields} | more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def patch(
        self, record: Any, body: dict[str, Any], version: int | None = None
    ) -> httpx2.Response:
        return await self.call(
            "PATCH",
            f"/records/{record['module']}/{record['id']}",
            json=body,
            headers={"if-match": self.tag(version or record["version"])},
        )

    def tag(self, version: int) -> str:
        """The entity tag of a version in the present chain."""
        return f'"{self.chain}-{version}"'

    async def listed(self, query: str = "", module: str = "organisation") -> list[Any]:
        answer = await self.call("GET", f"/records/{module}{query}")
        assert answer.status_code == 200, answer.text
        rows: list[Any] = answer.json()["records"]
        return rows

    async def bulk(
        self, rows: list[Any] | bytes, query: str = "", module: str = "organisation"
    ) -> httpx2.Response:
        body = rows if isinstance(rows, bytes) else b"\n".join(json.dumps(r).encode() for r in rows)
        return await self.call(
            "POST",
            f"/records/{module}/bulk{query}",
            content=body,
            headers={"content-type": "application/x-ndjson"},
        )

    async def csv(
        self, text: str | bytes, query: str = "", module: str = "organisation"
    ) -> httpx2.Response:
        body = text.encode() if isinstance(text, str) else text
        return await self.call(
            "POST",
            f"/records/{module}/import{query}",
            content=body,
            headers={"content-type": "text/csv; charset=utf-8"},
        )


@pytest.fixture(scope="session")
async def tenant_cluster(cluster: Any) -> Cluster:
    """The cluster in the provisioner's hands, with the template built."""
    hands = Cluster(cluster.url("tenants"))
    await template.build(hands)
    return hands


@pytest.fixture(scope="session")
async def address(tenant_cluster: Cluster) -> AsyncIterator[Address]:
    """One tenant's database for all tests of records; `api` empties it for each."""
    name, secret, tenant = names.database_name(), names.password(), TenantId(uuid4())
    await provision.create(tenant_cluster, name, tenant, names.verifier(secret))
    yield Address(tenant, tenant_cluster.host, tenant_cluster.port, name, secret)
    await provision.drop(tenant_cluster, name)


@pytest.fixture(scope="session")
async def databases(address: Address) -> AsyncIterator[TenantDatabases]:
    """Sessions on that tenant."""

    async def lookup(_tenant: TenantId) -> Address:
        return address

    made = TenantDatabases(lookup)
    yield made
    await made.close()


@pytest.fixture(scope="session")
async def control(cluster: Any) -> AsyncIterator[Database]:
    """The control database of the tenants service."""
    url = await cluster.fresh("tenants")
    made = Database(url)
    yield made
    await made.close()
    await cluster.drop(url)


@pytest.fixture(scope="session")
async def uploads() -> AsyncIterator[Uploads]:
    """The processes that check uploads, for all tests of records."""
    made = Uploads()
    yield made
    await made.close()


@pytest.fixture
async def api(
    address: Address,
    databases: TenantDatabases,
    control: Database,
    uploads: Uploads,
    tenant_cluster: Cluster,
) -> Api:
    """The routes of records over an empty tenant, as a user with every grant."""
    async with databases.write(address.tenant, actor="user:test") as session:
        await session.execute("DELETE FROM record")
        await session.execute("DELETE FROM field_choice")
        await session.execute("DELETE FROM connection_mapping")
        chain = await session.fetchval("SELECT left(chain::text, 8) FROM tenant_identity")

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    key, service_key = SigningKey.generate(), SigningKey.generate()
    app = build_app(
        title="tenants",
        routers=[r.router for r in ROUTES],
        checks={},
        lifespan=lifespan,
        body_limits=many_records.BODY_LIMITS,
    )

    async def keys() -> dict[str, Any]:
        return {"test": key.public}

    ring = KeySet(keys)
    await ring.fetch()
    put(app, AccessVerifier(ring, ISSUER))
    put(app, CallerVerifier("tenants", {"sync": service_key.public.to_base64url()}))
    parts = RecordsParts(
        databases=databases,
        notices=Notices(control),
        space=Space(control, tenant_cluster, limit=1 << 40, floor=1, volume=None),
        uploads=uploads,
    )
    put(app, parts)
    return Api(app, address.tenant, Signer(key, "test"), service_key, chain)
