"""Loops that may not die unseen: whatever ends one, it is told, counted and started again.

A loop may end in three ways that its own `except Exception` does not see: it returns, it is
cancelled by somebody else (a library that closes a connection hands its other users a
CancelledError), or it raises what is no Exception. All three look the same from here.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from prometheus_client import Counter

from kit import logs
from kit.causes import NotReady

PAUSES_S = (0.1, 0.5, 2.0, 5.0, 15.0, 30.0)
STEADY_S = 60.0  # after so long the falls before are forgotten
STOP_DEADLINE_S = 15.0
CANCEL_AGAIN_S = 5.0

_T = TypeVar("_T")
Run = Callable[[], Coroutine[Any, Any, None]]
_ENDS = Counter("bulkhead_loop_ends", "Loops that ended by themselves.", ["loop"])
_log = logs.get(__name__)
_under_way: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
    """Start work that ends by itself; it is kept alive, and whoever wants its result awaits it.

    What it raises is logged here too: nobody may be waiting for it any more.
    """
    task = asyncio.create_task(work, name=name)
    _under_way.add(task)
    task.add_done_callback(_done)
    return task


def _done(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.info("work failed", loop=task.get_name(), error=type(error).__name__)


async def end(*tasks: asyncio.Task[Any]) -> bool:
    """Cancel them and wait for their ends; whether all have come.

    A cancellation can get lost in what a task awaits: it is told again while the task goes on, with
    time in between to end in good order. What they raise is nobody's.
    """
    left = set(tasks)
    for _ in range(int(STOP_DEADLINE_S / CANCEL_AGAIN_S)):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    return not left


class Loop:
    """One long-running task. `run` is called again, after a growing pause, whenever it has ended
    although nobody has called `stop`."""

    def __init__(self, name: str, run: Run, *, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self.name, self._run, self._pauses_s = name, run, pauses_s
        self._stopping = asyncio.Event()
        self._falls = 0
        self._is_up = True
        self._work: asyncio.Task[None] | None = None
        self._attendant: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """False from the moment it has ended by itself until it is started again."""
        return self._is_up

    @property
    def falls(self) -> int:
        """How often it has ended by itself since it was last steady."""
        return self._falls

    def start(self) -> None:
        self._attendant = asyncio.create_task(self._attend(), name=f"attendant of {self.name}")

    async def stop(self, grace_s: float = 0.0) -> None:
        """Let it end by itself within `grace_s` seconds, then cancel it and wait for its end."""
        self._stopping.set()
        if self._attendant is None:
            return
        if grace_s and self._work is not None:
            await asyncio.wait({self._work}, timeout=grace_s)
        if self._work is None or await end(self._work):
            await asyncio.wait({self._attendant})
        else:
            _log.error("loop does not stop", loop=self.name)
            self._attendant.cancel()

    async def _attend(self) -> None:
        try:
            while not self._stopping.is_set():
                begun = time.monotonic()
                self._work, self._is_up = asyncio.create_task(self._run(), name=self.name), True
                await asyncio.wait({self._work})
                if not self._stopping.is_set():
                    self._count_fall(self._work, time.monotonic() - begun)
                    await self._pause()
        finally:
            if self._work is not None:
                self._work.cancel()

    def _count_fall(self, ended: asyncio.Task[None], lasted_s: float) -> None:
        self._falls, self._is_up = (1 if lasted_s >= STEADY_S else self._falls + 1), False
        _ENDS.labels(self.name).inc()
        error = None if ended.cancelled() else ended.exception()
        how = "cancelled" if ended.cancelled() else "returned"
        _log.error(
            "a loop has ended and is started again",
            exc_info=error,
            loop=self.name,
            error=type(error).__name__ if error else how,
        )

    async def _pause(self) -> None:
        pause_s = self._pauses_s[min(self._falls, len(self._pauses_s)) - 1]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()


class Supervisor:
    """The loops of one program."""

    def __init__(self) -> None:
        self._loops: list[Loop] = []

    def start(self, name: str, run: Run) -> None:
        """Run the loop until this supervisor stops."""
        loop = Loop(name, run)
        self._loops.append(loop)
        loop.start()

    async def check(self) -> None:
        """Raise NotReady while a loop lies on the ground: it names the loop and its falls."""
        if down := [f"{one.name} (fell {one.falls}x)" for one in self._loops if not one.is_up]:
            raise NotReady(f"these loops have ended and are started again: {', '.join(down)}")

    async def stop(self) -> None:
        """End all loops at once."""
        await asyncio.gather(*(loop.stop() for loop in self._loops))
        self._loops.clear()


@contextlib.asynccontextmanager
async def supervising(supervisor: Supervisor) -> AsyncIterator[Supervisor]:
    """Stop the supervisor's loops at the end of the block, whatever ends it."""
    try:
        yield supervisor
    finally:
        await supervisor.stop()
