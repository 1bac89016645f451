"""Work on many items: one that fails is logged and returned, and the others are done."""

import asyncio
import logging

import pytest

from kit.timers import each


async def test_an_item_that_fails_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    async def work(item: str) -> None:
        if item == "b":
            raise ConnectionError
        done.append(item)

    with caplog.at_level(logging.ERROR):
        assert await each(["a", "b", "c"], work, "letters") == ["b"]
    assert done == ["a", "c"]
    [record] = caplog.records
    assert (record.__dict__["timer"], record.__dict__["item"]) == ("letters", "b")


async def test_some_items_at_a_time_and_never_more():
    busy, most = 0, 0
    release = asyncio.Event()

    async def work(item: int) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if busy == 3 or release.is_set():
            release.set()
        await release.wait()
        busy -= 1
        if item == 5:
            raise RuntimeError

    async with asyncio.timeout(5):
        assert await each(range(20), work, "test", at_once=3) == [5]
    assert most == 3
