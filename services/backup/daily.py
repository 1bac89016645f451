"""The daily round: queues the full of every tenant that has none or whose slot has begun."""

from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy import RowMapping

from contracts.ids import TenantId
from kit import clock
from kit.db import Database
from kit.timers import each
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
    due = [TenantId(row["tenant"]) for row in known if _is_due(row, now)]

    async def ask(tenant: TenantId) -> None:
        async with db.write() as session:
            await snapshots.ask(session, tenant, "schedule")

    await each(due, ask, "daily fulls")
    ages = [(now - (row["covered_until"] or row["known_at"])).total_seconds() for row in known]
    _UNCOVERED.set(max(ages, default=0.0))


def _is_due(row: RowMapping, now: datetime) -> bool:
    waits = row["retry_at"] is not None and row["retry_at"] > now
    return not waits and is_due(TenantId(row["tenant"]), row["covered_until"], now)
