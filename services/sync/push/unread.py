"""Changes that this process was told of and has not read yet: what `outgoing` cannot show."""

import contextlib
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import Gauge

from contracts.ids import ConnectionId
from kit import clock

_UNREAD = Gauge(
    "bulkhead_sync_unread_seconds",
    "Age of the oldest notice of changes, over all active connections, that nobody has read yet",
)


class Unread:
    """Of each connection the first and the last notice since its journal was read to the end."""

    def __init__(self) -> None:
        self._told: dict[ConnectionId, tuple[datetime, datetime]] = {}
        _UNREAD.set_function(self._oldest_s)

    def note(self, connection: ConnectionId) -> None:
        """There are changes."""
        now = clock.now()
        first, _last = self._told.get(connection, (now, now))
        self._told[connection] = first, now

    def forget(self, connection: ConnectionId) -> None:
        """Nothing of it is to be read: it is gone, or waits for a person."""
        self._told.pop(connection, None)

    @contextlib.contextmanager
    def read(self, connection: ConnectionId) -> Iterator[None]:
        """A block that reads the journal to its end, unless it fails: what was told meanwhile may
        have come too late for it."""
        begun = clock.now()
        yield
        if connection in self._told:
            _first, last = self._told.pop(connection)
            if last >= begun:
                self._told[connection] = last, last

    def clear(self) -> None:
        self._told.clear()

    def _oldest_s(self) -> float:
        first = min((first for first, _last in self._told.values()), default=None)
        return 0.0 if first is None else max((clock.now() - first).total_seconds(), 0.0)
