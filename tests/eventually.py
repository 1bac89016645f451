"""Waiting on a condition with a deadline: what tests do instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def eventually(
    condition: Callable[[], object] | Callable[[], Awaitable[object]], deadline_s: float = 20.0
) -> None:
    """Return as soon as the condition holds; fail when it does not within the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return
        if time.monotonic() > end:
            raise AssertionError(f"did not come true within {deadline_s} s")
        await asyncio.sleep(0.02)
