"""When credentials end: told 30, 14, 7 and 1 days ahead, each once, and counted in a gauge."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import Gauge

from contracts.events import CredentialExpiring
from kit import clock, outbox
from kit.db import Database
from kit.timers import Timer
from services.sync import announcing
from services.sync.store import credentials
from services.sync.store.credentials import ExpiringRow

THRESHOLDS = (30, 14, 7, 1)
EVERY_S = 600.0
_BATCH = 500
_NEAR = Gauge(
    "bulkhead_sync_expiring_credentials",
    "Credentials in use that end within so many days; 0: they have ended.",
    ["within_days"],
)


class Expiries:
    """`look` tells what is to be told and counts what ends soon, for the gauge."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counts: Mapping[int, int] = {}
        for days in (*THRESHOLDS, 0):
            _NEAR.labels(days).set_function(partial(self._count, days))

    def timer(self) -> Timer:
        return Timer("expiries", EVERY_S, self.look)

    async def look(self) -> None:
        """As much work as there is to tell."""
        now, found = clock.now(), True
        while found:
            async with self._db.read() as session:
                rows = await credentials.expiring(session, _ends(THRESHOLDS, now), _BATCH)
            told = [await self._tell(row, now) for row in rows]
            found = any(told) and len(rows) == _BATCH
        async with self._db.read() as session:
            self._counts = await credentials.count_endings(session, _ends((*THRESHOLDS, 0), now))
        await announcing.repeat(self._db)

    async def _tell(self, row: ExpiringRow, now: datetime) -> bool:
        days = threshold(row.expires_at, now)
        if days is None:
            return False
        async with self._db.write() as session:
            is_news = await credentials.note_warned(session, row.id, days)
            if is_news:
                await outbox.add(session, _notice(row))
        return is_news

    def _count(self, days: int) -> float:
        return float(self._counts.get(days, 0))


def _ends(thresholds: Sequence[int], now: datetime) -> dict[int, datetime]:
    return {days: now + timedelta(days=days) for days in thresholds}


def _notice(row: ExpiringRow) -> CredentialExpiring:
    return CredentialExpiring(
        tenant=row.tenant,
        connection=row.connection,
        credential=row.id,
        expires_at=row.expires_at,
    )


def threshold(expires_at: datetime, now: datetime) -> int | None:
    """The smallest number of days that it ends within; None where it is far away."""
    left = expires_at - now
    return min((days for days in THRESHOLDS if left <= timedelta(days=days)), default=None)
