"""Brings tenant databases up to the template: those that need it, a few at a time; one that
cannot be brought up to date holds up no other, and is not served by code that needs more.
"""

import asyncio

from prometheus_client import Gauge

from contracts.ids import TenantId
from contracts.problems import TenantBeingRestored
from kit import logs
from kit.causes import NotReady
from kit.db import Database
from kit.timers import each_at_once
from services.tenants.databases.addresses import Addresses
from services.tenants.databases.store import directory as store
from tenantdb import names, provision, template
from tenantdb.cluster import Cluster

AT_ONCE = 8
_UPGRADE_WITHIN_S = 600.0
_BEHIND = Gauge(
    "bulkhead_tenants_not_upgraded",
    "Tenants whose database is not up to date; they are refused with 503",
)
_log = logs.get(__name__)


class Upgrades:
    """At most `at_once` databases are worked on, each over one connection at a time."""

    def __init__(
        self, db: Database, cluster: Cluster, addresses: Addresses, *, at_once: int = AT_ONCE
    ) -> None:
        self._db, self._cluster, self._addresses = db, cluster, addresses
        self._at_once = at_once

    async def run(self) -> None:
        """Upgrade what is behind; may be repeated, also by several processes at the same time.

        What fails is logged, stays marked by its version, and is tried again in the next run.
        """
        behind = await self._behind()
        failed = await each_at_once(behind, self._upgrade, "upgrades", at_once=self._at_once)
        _BEHIND.set(len(failed))
        if failed:
            extra = {"tenants": [str(tenant) for tenant in failed[:20]], "count": len(failed)}
            _log.error("tenant databases are not up to date and are refused", **extra)

    async def check(self) -> None:
        """Raise NotReady while a tenant is refused because its database is behind."""
        behind = await self._behind()
        _BEHIND.set(len(behind))
        if behind:
            raise NotReady(f"{len(behind)} tenant databases are not up to date: see the log")

    async def _behind(self) -> list[TenantId]:
        async with self._db.read() as session:
            return await store.behind(session, template.version())

    async def _upgrade(self, tenant: TenantId) -> None:
        async with self._db.read() as session:
            row = await store.find(session, tenant)
        if row is None:
            return
        if row.is_swapping:
            raise TenantBeingRestored  # what is about to be swapped in may be older than this
        version = template.version()
        async with asyncio.timeout(_UPGRADE_WITHIN_S):
            await template.upgrade(self._cluster, row.database, names.owner_of(row.database))
            async with self._cluster.inside(row.database) as connection:
                await provision.grant(connection, row.database)
        async with self._db.write() as session:
            await store.set_version(session, tenant, row.schema_version, version)
        self._addresses.forget(tenant)
