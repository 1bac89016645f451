"""The daily round: queues the full of every tenant that has none or whose slot has begun."""

from datetime import datetime

from prometheus_client import Gauge

from contracts.ids import TenantId
from kit import clock
from kit.db import Database
from kit.timers import each
from services.backup.runs.schedule import LONGEST_PAUSE, is_due
from services.backup.store import backups, tenants
from services.backup.store.tenants import Coverage

_AT_ONCE = 4  # one connection of the pool is left to others
_UNCOVERED = Gauge(
    "bulkhead_backup_oldest_uncovered_seconds",
    "Time since the newest verified full, of the tenant where it is longest",
)
_since: list[datetime] = []
# computed when it is read: it grows even where this round comes no more
_UNCOVERED.set_function(lambda: (clock.now() - _since[0]).total_seconds() if _since else 0.0)


async def queue_due(db: Database) -> None:
    """However many slots were missed, a tenant gets one full; failed ones wait for their time."""
    now = clock.now()
    async with db.read() as session:
        known = await tenants.coverage(session)
    due = [one.tenant for one in known if _is_due(one, now)]

    async def ask(tenant: TenantId) -> None:
        async with db.write() as session:
            await backups.ask(session, tenant, "schedule")

    _since[:] = sorted(_covered_until(one, now) for one in known)[:1]
    await each(due, ask, "daily fulls", at_once=_AT_ONCE)


def _covered_until(one: Coverage, now: datetime) -> datetime:
    """A time in the future is unknown: then the tenant counts as never covered."""
    until = one.covered_until
    since = until if until is not None and until <= now else one.known_at
    return min(since, now)


def _is_due(one: Coverage, now: datetime) -> bool:
    waits = one.retry_at is not None and now < one.retry_at <= now + LONGEST_PAUSE
    return not waits and is_due(one.tenant, one.covered_until, now)
