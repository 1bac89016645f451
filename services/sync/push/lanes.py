"""A few batches on their way at once: whoever gives one more waits until there is room."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from kit.supervisor import spawn


class Lanes:
    """`give` work, then `drain`; the first error ends the giving, and comes out of both.

    Work that is under way when the block ends by an error comes to its end first; where the block
    is cancelled, it is cancelled too.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._running = set[asyncio.Task[None]]()
        self._errors: list[BaseException] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            for task in self._running:
                task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def give(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it as soon as there is room; raises what other work has raised."""
        try:
            while len(self._running) >= max(1, self.most):
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                self._collect()
            self._raise()
        except BaseException:
            work.close()
            raise
        self._running.add(spawn(work, "batch"))

    async def drain(self) -> None:
        """Until nothing is under way; raises what the work has raised first."""
        while self._running:
            await asyncio.wait(self._running)
            self._collect()
        self._raise()

    def _collect(self) -> None:
        done = {task for task in self._running if task.done()}
        self._running -= done
        self._errors += [e for task in done if not task.cancelled() and (e := task.exception())]

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]
