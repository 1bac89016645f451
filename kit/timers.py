"""Timers: recurring work that survives its own failures and can be woken early."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from kit import logs

_Item = TypeVar("_Item")
_log = logs.get(__name__)


class Timer:
    """Runs `work` every `every_s` seconds, measured from the end of one run to the next."""

    def __init__(self, name: str, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        self.name, self._every_s, self._work = name, every_s, work
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Run as soon as possible; several calls before that run are one."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled. An exception is logged and the next run comes at its time."""
        while True:
            self._wake.clear()
            try:
                with logs.bind_trace(None):
                    await self._work()
            except Exception:
                _log.exception("timer failed", extra={"timer": self.name})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._every_s)


async def each(
    items: Iterable[_Item], work: Callable[[_Item], Awaitable[object]], name: str
) -> list[_Item]:
    """Work on one item after the other; those that failed are logged, passed over and returned.

    Items are ids or names: the log says which one failed.
    """
    failed = []
    for item in items:
        try:
            await work(item)
        except Exception:
            _log.exception("item failed", extra={"timer": name, "item": str(item)})
            failed.append(item)
    return failed


@contextlib.asynccontextmanager
async def running(timers: Sequence[Timer]) -> AsyncIterator[None]:
    """Run the timers for as long as the block lasts."""
    tasks = [asyncio.create_task(timer.run(), name=f"timer {timer.name}") for timer in timers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
