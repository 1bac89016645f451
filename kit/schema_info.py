"""Which migration a service's database has reached, as a metric: read again every minute, for one
may be applied while the service runs."""

from prometheus_client import Gauge
from sqlalchemy import text

from kit.db import Database
from kit.timers import Timer

EVERY_S = 60.0
_INFO = Gauge(
    "bulkhead_schema_info",
    "Always 1; the newest migration that the service's database has.",
    ["service", "migration"],
)
_IS_THERE = text("SELECT to_regclass('schema_migration') IS NOT NULL")
_NEWEST = text("SELECT max(name) FROM schema_migration")


def showing(db: Database, service: str) -> Timer:
    """A timer that keeps one label value for the service."""
    shown: str | None = None

    async def look() -> None:
        nonlocal shown
        async with db.read() as session:
            newest = await session.scalar(_NEWEST) if await session.scalar(_IS_THERE) else None
        if newest != shown:
            if shown is not None:
                _INFO.remove(service, shown)
            if newest is not None:
                _INFO.labels(service, newest).set(1)
            shown = newest

    return Timer("schema", EVERY_S, look)
