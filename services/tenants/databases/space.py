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
from services.tenants.databases.store import directory as store
from services.tenants.problems import SpaceUsedUp
from tenantdb.cluster import Cluster

_LARGEST = Gauge("bulkhead_tenant_largest_bytes", "What the tenant stores that stores most")
_ALLOWED = Gauge("bulkhead_tenant_allowed_bytes", "What one tenant may store at the moment")


def allowed(limit: int, largest: int, free: int, floor: int) -> int:
    """What one tenant may store: its limit, or less while the volume has less than its floor free.

    Just under the floor that stops the largest tenant alone; the less is left, the smaller ones.
    """
    return limit if free >= floor else min(limit, largest * max(free, 0) // floor)


class Space:
    """`limit` and `floor` are bytes; `volume` is a folder on PostgreSQL's volume, where this
    process sees it (None: only the limit holds)."""

    def __init__(
        self, db: Database, cluster: Cluster, *, limit: int, floor: int, volume: Path | None
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
        free = self._floor
        if self._volume is not None:
            free = (await asyncio.to_thread(shutil.disk_usage, self._volume)).free
        self._allowed = allowed(self._limit, largest, free, self._floor)
        _LARGEST.set(largest)
        _ALLOWED.set(self._allowed)

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
