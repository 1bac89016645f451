"""Where a verifier finds public keys; an unknown kid may ask for new ones, but not often."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from kit import logs
from kit.sealing import VerifyKey

Fetch = Callable[[], Awaitable[Mapping[str, VerifyKey]]]

RELOAD_AT_MOST_EVERY_S = 30.0
_log = logs.get(__name__)


class KeySource(Protocol):
    def find(self, kid: str) -> VerifyKey | None: ...

    async def reload(self) -> bool:
        """Fetch the keys again; False when it is too early or the fetch failed."""


class KeyRing:
    """Keys kept in memory; a failed fetch keeps the old ones, a flood of unknown kids costs one."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, VerifyKey] = {}
        self._tried_at: float | None = None

    def find(self, kid: str) -> VerifyKey | None:
        return self._keys.get(kid)

    async def reload(self) -> bool:
        now = self._clock()
        if self._tried_at is not None and now - self._tried_at < RELOAD_AT_MOST_EVERY_S:
            return False
        self._tried_at = now
        return await self.fetch()

    async def fetch(self) -> bool:
        """Fetch without the limit: for start-up and timers, never for what a caller sent."""
        try:
            self._keys = await self._fetch()
        except Exception:
            _log.warning("key set not fetched, keeping the old one")
            return False
        return True
