"""A stand-in for the tenants service: the list, leases, targets and swap, over real databases.

tests/services/tenants/test_tenants_client.py holds it to what the real one does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr
from starlette.responses import JSONResponse

from contracts.clients import (
    Lease,
    NewLease,
    NewTarget,
    Swap,
    TargetName,
    TenantEntries,
    TenantEntry,
    TenantsClient,
)
from contracts.credentials import CallerVerifier
from contracts.ids import LeaseId, TenantId, new_id
from kit import clock
from kit.http import errors
from kit.problems import Conflict, NotFound
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
        self.ended: set[UUID] = set()
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
        errors.install(app)
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

    async def _tenants(self) -> TenantEntries:
        return TenantEntries(
            tenants=[TenantEntry(id=one, state="active") for one in self.databases]
        )

    async def _lease(self, tenant: TenantId, body: NewLease) -> Lease:
        lease, role, password = LeaseId(new_id()), names.lease_name(), names.password()
        name, ends_at = self._name_of(tenant), clock.now() + timedelta(hours=1)
        verifier = names.verifier(password)
        if body.target is None:
            await leases.grant_dump(self.cluster, role, verifier, ends_at, name)
        elif body.target in self.targets.values():
            await leases.grant_restore(self.cluster, role, verifier, ends_at, name, body.target)
        else:
            raise NotFound
        target = body.target or name
        self.leases[lease] = (role, target)
        return Lease(
            lease=lease,
            host=self.cluster.host,
            port=self.cluster.port,
            database=target,
            user=role,
            password=SecretStr(password),
            owner=names.owner_of(name),
            ends_at=ends_at,
        )

    async def _release(self, tenant: TenantId, lease: LeaseId) -> None:
        if lease in self.ended:
            return
        if lease not in self.leases:
            raise NotFound
        role, database = self.leases.pop(lease)
        await leases.end(self.cluster, role, database)
        self.ended.add(lease)

    async def _target(self, tenant: TenantId, body: NewTarget) -> TargetName:
        name, one = self._name_of(tenant), body.restore
        if one in self.swapped:
            raise Conflict
        if one not in self.targets:
            self.targets[one] = names.target_name(name)
            await swap.make_target(self.cluster, self.targets[one], name)
        return TargetName(database=self.targets[one])

    async def _drop(self, tenant: TenantId, database: str) -> None:
        restore = next((one for one, name in self.targets.items() if name == database), None)
        if restore is None:
            return
        if restore in self.swapped:
            raise Conflict
        await swap.drop_target(self.cluster, database)
        del self.targets[restore]

    async def _swap(self, tenant: TenantId, body: Swap) -> None:
        if self.targets.get(body.restore) != body.database:
            raise NotFound
        if body.restore in self.swapped:
            return
        name = self._name_of(tenant)
        await swap.prepare(self.cluster, body.database, name, tenant)
        await swap.exchange(self.cluster, name, body.database, names.aside_name(name))
        self.swapped.append(body.restore)

    def _name_of(self, tenant: TenantId) -> str:
        if tenant not in self.databases:
            raise NotFound
        return self.databases[tenant].name


_PERSONS = """
INSERT INTO record (id, module, key, data)
SELECT uuidv7(), 'person', 'p' || i, jsonb_build_object('last_name', 'Findme Plainly ' || i,
    'email', i || '@findme.example', 'big', 12345678901234567890123.4567)
FROM generate_series(1, $1::text::int) i"""
