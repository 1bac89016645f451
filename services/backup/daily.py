"""The daily round: queues the full of every tenant whose slot has begun."""

from prometheus_client import Gauge

from contracts.ids import TenantId
from kit import clock
from kit.db import Database
from services.backup.schedule import is_due
from services.backup.store import snapshots, tenants

_UNCOVERED = Gauge(
    "bulkhead_backup_oldest_uncovered_seconds",
    "Time since the newest verified full, of the tenant where it is longest",
)


async def queue_due(db: Database) -> None:
    """However many slots were missed, a tenant gets one full; failed ones wait for their time."""
    now = clock.now()
    async with db.read() as session:
        known = await tenants.known(session)
    for row in known:
        tenant, last = TenantId(row["tenant"]), row["covered_until"] or row["known_at"]
        if is_due(tenant, last, now) and (row["retry_at"] is None or row["retry_at"] <= now):
            async with db.write() as session:
                await snapshots.ask(session, tenant, "schedule")
    ages = [(now - (row["covered_until"] or row["known_at"])).total_seconds() for row in known]
    _UNCOVERED.set(max(ages, default=0.0))
