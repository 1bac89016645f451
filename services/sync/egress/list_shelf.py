"""Revocation lists as they are kept: asked for once by many, renewed, and bounded.

A list is kept for the authority and the address that it was proved for, no longer than it says of
itself, and never given up for an older one. An address that failed is left alone for a while.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter

from kit import backoff, clock
from kit.single_flight import SingleFlight
from kit.workers import TooCostly, WorkerFailed, Workers
from services.sync.egress.asking import Asking
from services.sync.egress.limits import ListLimits
from services.sync.egress.list_fetching import ListFetcher
from services.sync.egress.refusals import EgressError
from services.sync.revocation import ListQuestion, ListRefused, RevocationList
from services.sync.revocation.reading import read

_AT_ONCE_BYTES = 16 * 1024  # read in less time than a process takes to begin
_MODULE = "services.sync.revocation.reading"
_MEMORY = 1 << 29
_LISTS = Counter("bulkhead_revocation_lists", "Revocation lists by what came of them.", ["result"])

_Key = tuple[str, bytes]


class ListUnavailable(Exception):
    """No list can be had from this address at present; the text says why."""


@dataclass
class _Place:
    """What is known of one address: the newest list, and the failures since."""

    held: RevocationList | None = None
    renewed: float = 0.0
    failures: int = 0
    reason: str = ""
    again: float = 0.0

    def holds(self) -> RevocationList | None:
        """The list, where it still holds by its own words."""
        held = self.held
        return held if held is not None and clock.now() < held.expires_at else None

    def fail(self, reason: str, now: float, pause_s: float) -> None:
        self.failures, self.reason = self.failures + 1, reason
        self.again = now + backoff.pause(self.failures, pause_s).total_seconds()

    def renew(self, found: RevocationList, now: float) -> None:
        """Take this list; raises ListRefused for one that is older than the one that is held."""
        if self.held is not None and found.issued_at < self.held.issued_at:
            raise ListRefused("it is older than the one that was there before")
        self.held, self.renewed, self.failures, self.again = found, now, 0, 0.0

    @property
    def weight(self) -> int:
        return len(self.held.serials) if self.held is not None else 0


class ListShelf:
    """Lists of this process, the longest unused ones dropped beyond the limits."""

    def __init__(
        self,
        fetcher: ListFetcher,
        limits: ListLimits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetcher, self._limits, self._monotonic = fetcher, limits, monotonic
        self._places: OrderedDict[_Key, _Place] = OrderedDict()
        self._flights = SingleFlight[_Key, None]()
        self._workers = Workers(_MODULE, count=1, memory=_MEMORY)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def weight(self) -> int:
        """Bytes of all serial numbers."""
        return sum(place.weight for place in self._places.values())

    async def get(self, url: str, question: ListQuestion, asking: Asking) -> RevocationList:
        """The list that lies there; raises ListUnavailable."""
        key = (url, question.identity)
        place = self._places.setdefault(key, _Place())
        self._places.move_to_end(key)
        now = self._monotonic()
        is_fresh = place.holds() and now - place.renewed < self._limits.renew_s
        if not is_fresh and now >= place.again:
            await self._flights.ask(key, lambda: self._renew(place, url, question, asking))
        self._drop_unused()
        if found := place.holds():
            return found
        raise ListUnavailable(place.reason or "it is out of date")

    async def close(self) -> None:
        await self._workers.close()

    async def _renew(self, place: _Place, url: str, question: ListQuestion, asking: Asking) -> None:
        result, now = "read", self._monotonic
        try:
            found = await self._read(question, await self._fetcher.fetch(url, asking))
            place.renew(found, now())
        except EgressError as failure:
            result = "unreachable"
            place.fail(failure.reason, now(), self._limits.pause_s)
        except ListRefused as refused:
            result = "refused"
            place.fail(f"the list is refused: {refused}", now(), self._limits.pause_s)
        _LISTS.labels(result).inc()

    async def _read(self, question: ListQuestion, der: bytes) -> RevocationList:
        if len(der) <= _AT_ONCE_BYTES:
            return read(question, der)
        try:
            return RevocationList.of(await self._workers.run(question.to_bytes(), der))
        except (TooCostly, WorkerFailed):
            raise ListRefused("it takes more time or memory than it may") from None

    def _drop_unused(self) -> None:
        while len(self._places) > self._limits.kept or self.weight > self._limits.kept_bytes:
            self._places.popitem(last=False)
