"""Workers: bytes in, bytes out, in time and in memory, or cut and replaced."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kit.workers import TooCostly, WorkerFailed, Workers
from tests.eventually import eventually

MODULE = "tests.kit.worker_for_tests"


@asynccontextmanager
async def workers(count: int = 1, within_s: float = 30.0) -> AsyncIterator[Workers]:
    made = Workers(MODULE, count=count, within_s=within_s, memory=1 << 28)
    try:
        yield made
    finally:
        await made.close()


def is_alive(pid: bytes) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


async def test_bytes_of_any_size_come_back_and_one_process_answers_all():
    async with workers() as some:
        first = await some.run(b"pid")
        for size in (0, 1, 70_000, 5_000_000):
            assert await some.run(b"a" * size, b"b") == b"a" * size + b"b"
        assert await some.run(b"pid") == first
    await eventually(lambda: not is_alive(first))


async def test_a_worker_steps_back_and_has_no_environment():
    async with workers() as some:
        assert int(await some.run(b"nice")) >= 10
        assert b"PATH" not in await some.run(b"environment")


@pytest.mark.parametrize("order", [b"hang", b"eat", b"die"])
async def test_work_that_costs_too_much_is_cut_and_the_next_goes_on(order):
    async with workers(within_s=1.0 if order == b"hang" else 30.0) as some:
        before = await some.run(b"pid")
        with pytest.raises(TooCostly):
            await some.run(order)
        assert await some.run(b"next") == b"next"
        if order != b"eat":
            await eventually(lambda: not is_alive(before))


async def test_an_error_of_the_work_is_named_by_its_type_only():
    async with workers() as some:
        with pytest.raises(WorkerFailed, match=r"^ValueError$"):
            await some.run(b"fail")
        assert await some.run(b"next") == b"next"


async def test_who_gives_up_leaves_no_worker_in_an_unknown_state():
    async with workers() as some:
        before = await some.run(b"pid")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(some.run(b"hang"), 0.2)
        assert await some.run(b"next") == b"next"
        await eventually(lambda: not is_alive(before))


async def test_no_more_processes_than_were_asked_for():
    async with workers(count=2) as some:
        pids = await asyncio.gather(*(some.run(b"pid") for _ in range(20)))
    assert 1 <= len(set(pids)) <= 2


async def test_closing_cuts_what_is_at_work():
    async with workers() as some:
        pid = await some.run(b"pid")
        late = asyncio.create_task(some.run(b"hang"))
        await asyncio.sleep(0)
        await some.close()
        with pytest.raises(TooCostly):
            await late
    await eventually(lambda: not is_alive(pid))
