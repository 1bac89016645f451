"""Leases: a login for one tenant and one purpose that ends by itself."""

from datetime import timedelta
from typing import Literal

from pydantic import SecretStr

from contracts.clients import Lease
from contracts.ids import LeaseId, TenantId, new_id
from contracts.problems import TenantBeingRestored
from kit import clock, logs
from kit.db import Database
from kit.problems import NotFound
from kit.timers import each
from services.tenants.databases.store import directory as tenants
from services.tenants.databases.store import leases as store
from services.tenants.databases.store import targets
from tenantdb import leases as roles
from tenantdb import names
from tenantdb.cluster import Cluster

LASTS = timedelta(hours=2)
Purpose = Literal["dump", "restore"]
_log = logs.get(__name__)


class Leases:
    """Grants and ends leases; the row comes before the role, so no role is forgotten."""

    def __init__(self, db: Database, cluster: Cluster) -> None:
        self._db, self._cluster = db, cluster

    async def grant_dump(self, tenant: TenantId) -> Lease:
        """Reading everything in the tenant's database, suspended or not.

        Raises NotFound, and TenantBeingRestored while that database is about to go.
        """
        async with self._db.read() as session:
            row = await tenants.find(session, tenant)
        if row is None or row.state == "provisioning":
            raise NotFound("no such tenant")
        if row.is_swapping:
            raise TenantBeingRestored
        return await self._grant(tenant, "dump", row.database, row.database)

    async def grant_restore(self, tenant: TenantId, target: str) -> Lease:
        """Everything inside an open restore target, and nothing else. Raises NotFound."""
        async with self._db.read() as session:
            found = await targets.find_database(session, tenant, target)
        if found is None or found.state != "open":
            raise NotFound("no such restore target")
        return await self._grant(tenant, "restore", found.name, target)

    async def release(self, tenant: TenantId, lease: LeaseId) -> None:
        """End a lease before its time; may be repeated. Raises NotFound."""
        async with self._db.read() as session:
            row = await store.find(session, tenant, lease)
        if row is None:
            raise NotFound("no such lease")
        if row.ended_at is None:
            await self._end(row)

    async def end_overdue(self) -> None:
        """End every lease whose time is over."""
        async with self._db.read() as session:
            rows = await store.overdue(session, clock.now())
        overdue = {row.id: row for row in rows}

        async def end(lease: LeaseId) -> None:
            _log.warning("lease ended by the timer", lease=str(lease))
            await self._end(overdue[lease])

        await each(overdue, end, "leases")

    async def end_on(self, database: str) -> None:
        """End every lease on a database that is about to change its name or go."""
        async with self._db.read() as session:
            rows = await store.open_on(session, database)
        for row in rows:
            await self._end(row)

    async def _grant(self, tenant: TenantId, purpose: Purpose, name: str, database: str) -> Lease:
        lease, role, password = LeaseId(new_id()), names.lease_name(), names.password()
        ends_at, verifier = clock.now() + LASTS, names.verifier(password)
        async with self._db.write() as session:
            await store.add(session, lease, tenant, purpose, role, database, ends_at)
        if purpose == "dump":
            await roles.grant_dump(self._cluster, role, verifier, ends_at, name)
        else:
            await roles.grant_restore(self._cluster, role, verifier, ends_at, name, database)
        return Lease(
            lease=lease,
            host=self._cluster.host,
            port=self._cluster.port,
            database=database,
            user=role,
            owner=names.owner_of(name),
            ends_at=ends_at,
            password=SecretStr(password),
        )

    async def _end(self, row: store.LeaseRow) -> None:
        await roles.end(self._cluster, row.role, row.database)
        async with self._db.write() as session:
            await store.set_ended(session, row.id, clock.now())
