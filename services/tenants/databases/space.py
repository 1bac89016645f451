"""Walls of space: what one tenant stores is bounded, and a volume that fills stops the largest
first.

A tenant's share is its database with its journal, databases set aside, and restore targets. It is
measured every minute; what comes in meanwhile is added as it comes. Reading and deleting go on.
"""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

from prometheus_client import Gauge

from contracts.ids import TenantId
from kit.db import Database
from kit.room import allowed
from services.tenants.databases.store import directory as store
from services.tenants.problems import SpaceUsedUp
from tenantdb.cluster import Cluster

_LARGEST = Gauge("bulkhead_tenant_largest_bytes", "What the tenant stores that stores most")
_ALLOWED = Gauge("bulkhead_tenant_allowed_bytes", "What one tenant may store at the moment")


class Space:
    """`limit` and `floor` are bytes; `volume` is a folder on PostgreSQL's volume, or how many bytes
    that volume holds where this process does not see it (None: only the limit holds)."""

    def __init__(
        self, db: Database, cluster: Cluster, *, limit: int, floor: int, volume: Path | int | None
    ) -> None:
        self._db, self._cluster = db, cluster
        self._limit, self._floor, self._volume = limit, floor, volume
        self._used: Counter[TenantId] = Counter()
        self._allowed = limit

    async def measure(self) -> None:
        """Look at all databases of all tenants, and at what is free."""
        async with self._db.read() as session:
            whose = {row.database: row.id for row in await store.existing(session)}
        sizes = await self._cluster.sizes()
        self._used = Counter({whose[name]: size for name, size in sizes.items() if name in whose})
        largest = max(self._used.values(), default=0)
        self._allowed = allowed(self._limit, largest, await self._free(), self._floor)
        _LARGEST.set(largest)
        _ALLOWED.set(self._allowed)

    async def _free(self) -> int:
        match self._volume:
            case None:
                return self._floor
            case int(size):
                return size - await self._cluster.stored()
            case Path() as folder:
                return (await asyncio.to_thread(shutil.disk_usage, folder)).free

    def check(self, tenant: TenantId, size: int = 0) -> None:
        """Count `size` bytes that come in; raises SpaceUsedUp where the tenant has no room."""
        used = self._used[tenant]
        if used >= self._allowed:
            raise SpaceUsedUp(
                f"this tenant stores {used} bytes and may store {self._allowed} at the moment",
                used_bytes=used,
                allowed_bytes=self._allowed,
            )
        self._used[tenant] += size
