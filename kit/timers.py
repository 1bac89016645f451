"""Timers: recurring work that survives its own failures and can be woken early."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from prometheus_client import Counter

from kit import logs
from kit.supervisor import Supervisor, supervising
from kit.telemetry import bind_trace

_Item = TypeVar("_Item")
_FAILURES = Counter("bulkhead_timer_failures", "Runs of a timer that failed.", ["timer"])
_LONGEST_RUN_S = 3600.0
_log = logs.get(__name__)


class Timer:
    """Runs `work` every `every_s` seconds, measured from the end of one run to the next.

    A run that has not ended after `longest_s` is cut off: what hangs would never come again.
    """

    def __init__(
        self,
        name: str,
        every_s: float,
        work: Callable[[], Awaitable[None]],
        *,
        longest_s: float = _LONGEST_RUN_S,
    ) -> None:
        self.name, self._every_s, self._work = name, every_s, work
        self._longest_s = longest_s
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Run as soon as possible; several calls before that run are one."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled. An exception is logged and the next run comes at its time."""
        while True:
            self._wake.clear()
            try:
                with bind_trace(None):
                    async with asyncio.timeout(self._longest_s):
                        await self._work()
            except Exception:
                _FAILURES.labels(self.name).inc()
                _log.exception("timer failed", timer=self.name)
            with contextlib.suppress(TimeoutError):
                # not wait_for: it loses a cancellation that comes together with the wake
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()


async def each(
    items: Iterable[_Item],
    work: Callable[[_Item], Awaitable[object]],
    name: str,
    *,
    at_once: int = 1,
) -> list[_Item]:
    """Work on `at_once` items at a time; those that failed are logged, passed over and returned.

    Items are ids or names: the log says which one failed.
    """
    failed, waiting = [], iter(items)

    async def take_turns() -> None:
        for item in waiting:
            try:
                await work(item)
            except Exception:
                _log.exception("item failed", timer=name, item=str(item))
                failed.append(item)

    await asyncio.gather(*(take_turns() for _ in range(at_once)))
    return failed


async def each_at_once(
    items: Iterable[_Item],
    work: Callable[[_Item], Awaitable[object]],
    name: str,
    *,
    at_once: int,
) -> list[_Item]:
    """Like `each`, for `at_once` items at the same time; they are begun in their order."""
    waiting, failed = iter(items), list[_Item]()

    async def one_after_the_other() -> None:
        failed.extend(await each(waiting, work, name))

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return failed


@contextlib.asynccontextmanager
async def running(timers: Sequence[Timer]) -> AsyncIterator[Supervisor]:
    """Run the timers, supervised, for as long as the block lasts."""
    async with supervising(Supervisor()) as supervisor:
        for timer in timers:
            supervisor.start(f"timer {timer.name}", timer.run)
        yield supervisor
