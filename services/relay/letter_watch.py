"""Letters that wait for an operator are seen: in readiness by name, and as a gauge."""

import time
from functools import partial

from prometheus_client import Gauge

from contracts.broker import BULKHEAD, QUEUES, open_letters
from kit.causes import NotReady

EVERY_S = 30.0
_UNROUTED = "unrouted"
_LETTERS = Gauge(
    "bulkhead_letters", "Letters that wait for an operator; NaN while nobody can tell.", ["queue"]
)


class LetterWatch:
    """Counts dead letters and unrouted messages; the counts are of the last look."""

    def __init__(self, url: str) -> None:
        self._letters = open_letters(url)
        self._counts: dict[str, int] = {}
        self._looked_at: float | None = None
        for queue in (*QUEUES, _UNROUTED):
            _LETTERS.labels(queue).set_function(partial(self._count, queue))

    async def look(self) -> None:
        """Raises BrokerDown."""
        found = await self._letters.counts()
        self._counts = {_short(queue): count for queue, count in found.items()}
        self._looked_at = time.monotonic()

    async def check(self) -> None:
        """Raise NotReady where letters wait."""
        if waiting := [f"{count} of {queue}" for queue, count in self._counts.items() if count]:
            raise NotReady(f"letters wait for an operator: {', '.join(waiting)}")

    async def close(self) -> None:
        await self._letters.close()

    def _count(self, queue: str) -> float:
        """The count, computed when it is read: an old look tells nothing."""
        if self._looked_at is None or time.monotonic() - self._looked_at > 3 * EVERY_S:
            return float("nan")
        return float(self._counts.get(queue, 0))


def _short(queue: str | None) -> str:
    return _UNROUTED if queue is None else queue.removeprefix(BULKHEAD.queue_of(""))
