"""How far behind customers' CRMs are: gauges over all connections, none that names one.

Counted are connections that are active: a paused or broken one waits for a person, which the count
by state shows, and what a suspended tenant has to send is not to be sent.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import Gauge

from kit import clock
from kit.db import Database
from services.sync.store import connections, outgoing_counts

_OVER_S = (60, 600, 3600)
_STATES = ("active", "broken", "paused")
_LAG = Gauge(
    "bulkhead_sync_lag_seconds",
    "Age of the oldest change that a CRM has not got, over all connections; NaN: nobody has looked",
)
_LAGGING = Gauge(
    "bulkhead_sync_lagging_connections",
    "Connections with a change that has been waiting for more seconds than this.",
    ["over"],
)
_CONNECTIONS = Gauge("bulkhead_sync_connections", "Connections by their state.", ["state"])


class Lag:
    """Knows, of each active connection with something to send, since when; `look` asks again, and
    a look that is older than `late_s` tells nothing of connections that had nothing to send.

    Ages are computed when they are read: they grow also where no look comes any more.
    """

    def __init__(self, db: Database, *, late_s: float) -> None:
        self._db, self._late = db, timedelta(seconds=late_s)
        self._since: list[datetime] = []
        self._counts: Mapping[str, int] = {}
        self._looked_at: datetime | None = None
        _LAG.set_function(self._oldest_s)
        for over_s in _OVER_S:
            _LAGGING.labels(over_s).set_function(partial(self._longer_than, over_s))
        for state in _STATES:
            _CONNECTIONS.labels(state).set_function(partial(self._count, state))

    async def look(self) -> None:
        """Ask for the oldest of each connection: as much work as there are connections."""
        async with self._db.read() as session:
            self._since = await outgoing_counts.waiting_since(session)
            self._counts = await connections.count_states(session)
        self._looked_at = clock.now()

    def _oldest_s(self) -> float:
        """Nothing waits: 0, if that was seen lately."""
        now = clock.now()
        if self._since:
            return max((now - self._since[0]).total_seconds(), 0.0)
        is_fresh = self._looked_at is not None and now - self._looked_at < self._late
        return 0.0 if is_fresh else float("nan")

    def _longer_than(self, over_s: int) -> float:
        return float(bisect_right(self._since, clock.now() - timedelta(seconds=over_s)))

    def _count(self, state: str) -> float:
        return float(self._counts.get(state, 0))
