"""Where a verifier finds public keys; an unknown kid may ask for new ones, but not often."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from kit import logs
from kit.sealing import VerifyKey
from kit.single_flight import SingleFlight

Fetch = Callable[[], Awaitable[Mapping[str, VerifyKey]]]

RELOAD_AT_MOST_EVERY_S = 30.0
# without any key nobody gets in, so the first set is asked for more often
FIRST_AT_MOST_EVERY_S = 1.0
FETCH_WITHIN_S = 3.0
_log = logs.get(__name__)


class KeySource(Protocol):
    def find(self, kid: str) -> VerifyKey | None: ...

    async def reload(self) -> bool:
        """Fetch the keys again; False when it is too early or the fetch failed."""


class KeySet:
    """Keys kept in memory; a failed fetch keeps the old ones, a flood of unknown kids costs one.

    There is one fetch at a time: who asks while it is under way gets the same answer, and who
    gives up waiting takes it from nobody else.
    """

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, VerifyKey] | None = None
        self._tried_at: float | None = None
        self._flights = SingleFlight[None, bool]()

    @property
    def is_loaded(self) -> bool:
        """False until a set has been seen: an unknown kid says nothing about the token then."""
        return self._keys is not None

    def find(self, kid: str) -> VerifyKey | None:
        return None if self._keys is None else self._keys.get(kid)

    async def reload(self) -> bool:
        if self._flights.is_under_way(None):
            return await self.fetch()
        now = self._clock()
        if self._tried_at is not None and now - self._tried_at < self._shortest_pause():
            return False
        self._tried_at = now
        return await self.fetch()

    async def fetch(self) -> bool:
        """Fetch without the limit: for start-up and timers, never for what a caller sent."""
        return await self._flights.ask(None, self._load)

    def _shortest_pause(self) -> float:
        return RELOAD_AT_MOST_EVERY_S if self.is_loaded else FIRST_AT_MOST_EVERY_S

    async def _load(self) -> bool:
        try:
            async with asyncio.timeout(FETCH_WITHIN_S):
                self._keys = await self._fetch()
        except Exception:
            _log.warning("key set not fetched, keeping the old one")
            return False
        return True
