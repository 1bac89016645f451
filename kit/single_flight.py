"""Answers that many ask for at once: one question at a time for each key, kept for a moment."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from kit.supervisor import spawn

_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


class SingleFlight(Generic[_Key, _Answer]):
    """Who asks while the same question is under way gets its answer, or its error.

    Who gives up waiting takes it from nobody else: the question goes on to its end.
    """

    def __init__(self) -> None:
        self._under_way: dict[_Key, asyncio.Task[_Answer]] = {}

    def is_under_way(self, key: _Key) -> bool:
        return key in self._under_way

    async def ask(self, key: _Key, question: Callable[[], Awaitable[_Answer]]) -> _Answer:
        task = self._under_way.get(key)
        if task is None:
            task = spawn(_asked(question), "single flight")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def forget(self, key: _Key) -> None:
        """Whoever asks from now on gets an answer that is begun from now on."""
        self._under_way.pop(key, None)

    def _landed(self, key: _Key, task: asyncio.Task[_Answer]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]


class Kept(Generic[_Key, _Answer]):
    """`ask(key)` with single flight, its answer kept for `keep_s` seconds; errors are not kept.

    At most `size` answers are kept: those that were asked for first go first.
    """

    def __init__(
        self,
        ask: Callable[[_Key], Awaitable[_Answer]],
        *,
        keep_s: float,
        size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._keep_s, self._size, self._clock = ask, keep_s, size, clock
        self._flights = SingleFlight[_Key, _Answer]()
        self._kept: OrderedDict[_Key, tuple[float, _Answer]] = OrderedDict()
        self._forgotten = 0

    async def get(self, key: _Key) -> _Answer:
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        return await self._flights.ask(key, lambda: self._fetch(key))

    def forget(self, key: _Key) -> None:
        """The next `get` asks again; an answer that is under way is not kept."""
        self._forgotten += 1
        self._kept.pop(key, None)
        self._flights.forget(key)

    async def _fetch(self, key: _Key) -> _Answer:
        before = self._forgotten
        answer = await self._ask(key)
        if before == self._forgotten:
            self._kept.pop(key, None)
            self._kept[key] = (self._clock() + self._keep_s, answer)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return answer


async def _asked(question: Callable[[], Awaitable[_Answer]]) -> _Answer:
    return await question()
