"""Starts again whatever of the suite ends by itself; each part is watched apart from the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from kit.backoff import pause

Say = Callable[[str], None]
STEADY_S = 60.0
_FIRST_S, _LOOK_S = 0.4, 0.5
_LONGEST = timedelta(seconds=10)


@dataclass(frozen=True)
class Supervised:
    """A program or server: is it running, and how to have it running again."""

    name: str
    is_up: Callable[[], bool]
    lift: Callable[[], Awaitable[None]]


class Falls:
    """How long to wait before the next start: longer with each fall, forgotten when steady."""

    def __init__(self) -> None:
        self._count, self._lifted_at = 0, float("-inf")

    def pause_s(self, now: float) -> float:
        """To be asked when it has fallen."""
        self._count = 1 if now - self._lifted_at >= STEADY_S else self._count + 1
        return pause(self._count, _FIRST_S, _LONGEST).total_seconds()

    def lifted(self, now: float) -> None:
        self._lifted_at = now


async def supervise(parts: Sequence[Supervised], say: Say) -> None:
    """Until cancelled; a start under way comes to its end first, so that nothing is left over."""
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(_keep_up(part, say), name=f"watch {part.name}")


async def _keep_up(part: Supervised, say: Say) -> None:
    falls = Falls()
    while True:
        await asyncio.sleep(_LOOK_S)
        if part.is_up():
            continue
        pause_s = falls.pause_s(time.monotonic())
        say(f"{part.name} has ended and is started again in {pause_s:.1f} s")
        await asyncio.sleep(pause_s)
        await _lift(part, say)
        falls.lifted(time.monotonic())


async def _lift(part: Supervised, say: Say) -> None:
    lifting = asyncio.ensure_future(part.lift())
    try:
        await asyncio.shield(lifting)
    except asyncio.CancelledError:
        await asyncio.wait([lifting])
        raise
    except Exception as error:  # it is tried again, whatever it was: nobody else would
        say(f"{part.name} did not start: {error or type(error).__name__}")
