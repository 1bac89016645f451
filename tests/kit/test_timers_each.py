"""Work on many items: one that fails is logged and returned, and the others are done."""

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
