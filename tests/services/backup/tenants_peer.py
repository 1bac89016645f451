"""A stand-in for the tenants service: its internal routes over real databases and real roles."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
from fastapi import Depends, FastAPI, Request
from starlette.responses import JSONResponse

from contracts.clients import TenantsClient
from contracts.credentials import CallerVerifier
from contracts.ids import TenantId, new_id
from kit import clock
from kit.sealing import SigningKey
from tenantdb import leases, names, provision, swap
from tenantdb.cluster import Cluster


@dataclass
class Database:
    """A tenant's database and the password of its runtime role."""

    name: str
    password: str


class TenantsPeer:
    """Makes tenants and answers what backup asks; `down` plays an outage, `refused` a 409.

    `asked` are the steps that were asked for; `meanwhile` is what happens before an answer.
    """

    def __init__(self, cluster: Cluster, superuser_url: str) -> None:
        self.cluster, self._superuser_url = cluster, superuser_url
        self.databases: dict[UUID, Database] = {}
        self.leases: dict[UUID, tuple[str, str]] = {}
        self.targets: dict[UUID, str] = {}
        self.swapped: list[UUID] = []
        self.down: set[str] = set()
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self.meanwhile: dict[str, Callable[[], Awaitable[object]]] = {}
        self.identity = SigningKey.generate()

    @property
    def transport(self) -> httpx2.AsyncBaseTransport:
        return httpx2.ASGITransport(self.app())

    def client(self) -> TenantsClient:
        return TenantsClient(
            "http://tenants", key=self.identity, service="backup", transport=self.transport
        )

    async def add(self, rows: int = 500) -> TenantId:
        """A new tenant with some persons, each with a secret that is easy to find again."""
        tenant = TenantId(new_id())
        name, password = names.database_name(), names.password()
        await provision.create(self.cluster, name, tenant, names.verifier(password))
        self.databases[tenant] = Database(name, password)
        await self.run(tenant, _PERSONS, str(rows))
        return tenant

    async def run(self, tenant: UUID, sql: str, *args: object) -> Any:
        """SQL in a tenant's database with every right, as a test needs it."""
        connection = await self.connect(tenant)
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()

    async def connect(self, tenant: UUID) -> Any:
        name = self.databases[tenant].name
        return await asyncpg.connect(self._superuser_url, database=name, timeout=10)

    async def clear(self) -> None:
        """Drop all that was made."""
        for role, database in self.leases.values():
            await leases.end(self.cluster, role, database)
        ours = tuple(one.name for one in self.databases.values())
        for database in await self.databases_in_cluster():
            if database.startswith(ours) and ours:
                await self.cluster.drop_database(database)
        for target in self.targets.values():
            await self.cluster.drop_roles(target)
        for name in ours:
            await provision.drop(self.cluster, name)

    async def databases_in_cluster(self) -> set[str]:
        connection = await asyncpg.connect(self._superuser_url, timeout=10)
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database")
        finally:
            await connection.close()
        return {row["datname"] for row in rows}

    def app(self) -> FastAPI:
        callers = CallerVerifier("tenants", {"backup": self.identity.public.to_base64url()})

        async def allowed(request: Request) -> None:
            assert callers.caller(request.headers["authorization"].split()[1]) == "backup"

        app = FastAPI(dependencies=[Depends(allowed)])
        base = "/internal/tenants"
        app.get(base)(self._tenants)
        app.post(base + "/{tenant}/leases")(self._lease)
        app.delete(base + "/{tenant}/leases/{lease}", status_code=204)(self._release)
        app.post(base + "/{tenant}/restore-targets")(self._target)
        app.delete(base + "/{tenant}/restore-targets/{database}", status_code=204)(self._drop)
        app.post(base + "/{tenant}/swap", status_code=204)(self._swap)

        @app.middleware("http")
        async def outage(request: Request, answer: Any) -> Any:
            step = request.url.path.split("/")[4] if request.url.path.count("/") > 3 else "tenants"
            self.asked.append(step)
            if step in self.meanwhile:
                await self.meanwhile[step]()
            if step in self.down:
                return JSONResponse({"title": "down"}, status_code=503)
            if step in self.refused:
                return JSONResponse({"title": "refused"}, status_code=409)
            return await answer(request)

        return app

    async def _tenants(self) -> dict[str, Any]:
        return {"tenants": [{"id": str(one), "state": "active"} for one in self.databases]}

    async def _lease(self, tenant: UUID, body: dict[str, str]) -> dict[str, Any]:
        lease, role, password = new_id(), names.lease_name(), names.password()
        name, ends_at = self.databases[tenant].name, clock.now() + timedelta(hours=1)
        target, verifier = body.get("target") or name, names.verifier(password)
        if body["purpose"] == "dump":
            await leases.grant_dump(self.cluster, role, verifier, ends_at, name)
        else:
            await leases.grant_restore(self.cluster, role, verifier, ends_at, name, target)
        self.leases[lease] = (role, target)
        return {
            "lease": str(lease),
            "host": self.cluster.host,
            "port": self.cluster.port,
            "database": target,
            "user": role,
            "password": password,
            "owner": names.owner_of(name),
            "ends_at": ends_at.isoformat(),
        }

    async def _release(self, tenant: UUID, lease: UUID) -> None:
        role, database = self.leases.pop(lease)
        await leases.end(self.cluster, role, database)

    async def _target(self, tenant: UUID, body: dict[str, UUID]) -> dict[str, str]:
        name, one = self.databases[tenant].name, body["restore"]
        if one not in self.targets:
            self.targets[one] = names.target_name(name)
            await swap.make_target(self.cluster, self.targets[one], name)
        return {"database": self.targets[one]}

    async def _drop(self, tenant: UUID, database: str) -> None:
        self.targets = {one: name for one, name in self.targets.items() if name != database}
        await swap.drop_target(self.cluster, database)

    async def _swap(self, tenant: UUID, body: dict[str, str]) -> None:
        if UUID(body["restore"]) in self.swapped:
            return
        name, target = self.databases[tenant].name, body["database"]
        await swap.prepare(self.cluster, target, name, TenantId(tenant))
        await swap.exchange(self.cluster, name, target, names.aside_name(name))
        self.swapped.append(UUID(body["restore"]))


_PERSONS = """
INSERT INTO record (id, module, key, data)
SELECT uuidv7(), 'person', 'p' || i, jsonb_build_object('last_name', 'Findme Plainly ' || i,
    'email', i || '@findme.example', 'big', 12345678901234567890123.4567)
FROM generate_series(1, $1::text::int) i"""
