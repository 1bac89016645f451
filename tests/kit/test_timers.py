"""A timer goes on after a failure, can be woken early, and ends with its block."""

import asyncio

from prometheus_client import REGISTRY

from kit.timers import Timer, running
from tests.eventually import eventually


class Work:
    def __init__(self, failures: int = 0) -> None:
        self.runs, self._failures = 0, failures
        self.ran = asyncio.Condition()

    async def __call__(self) -> None:
        async with self.ran:
            self.runs += 1
            self.ran.notify_all()
        if self.runs <= self._failures:
            raise RuntimeError("again")

    async def until(self, runs: int) -> None:
        async with asyncio.timeout(5), self.ran:
            await self.ran.wait_for(lambda: self.runs >= runs)


async def test_it_runs_at_once_and_again_and_survives_failures():
    work = Work(failures=2)
    async with running([Timer("test", 0.001, work)]):
        await work.until(4)


async def test_waking_runs_it_before_its_time():
    work = Work()
    timer = Timer("test", 3600, work)
    async with running([timer]):
        await work.until(1)
        timer.wake()
        await work.until(2)


async def test_it_ends_with_its_block():
    work = Work()
    async with running([Timer("test", 0.001, work)]):
        await work.until(1)
    runs = work.runs
    await asyncio.sleep(0.01)
    assert work.runs == runs


async def test_it_ends_however_close_the_waking_and_the_cancellation_are():
    for steps in range(6):
        work = Work()
        timer = Timer("test", 3600, work)
        task = asyncio.create_task(timer.run())
        await work.until(1)
        timer.wake()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def test_a_run_that_hangs_is_cut_off_and_the_next_one_comes():
    runs = 0

    async def hang() -> None:
        nonlocal runs
        runs += 1
        await asyncio.Event().wait()

    async with running([Timer("test", 0.0, hang, longest_s=0.01)]):
        await eventually(lambda: runs >= 3, 5)


async def test_it_waits_for_its_time_and_a_call_during_a_run_is_not_lost():
    runs = 0
    timer = Timer("test", 3600, lambda: work())

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            timer.wake()

    async with running([timer]):
        await eventually(lambda: runs == 2, 5)
        for _ in range(50):
            await asyncio.sleep(0)
        assert runs == 2


async def test_each_failed_run_is_counted():
    def counted() -> float:
        name = "bulkhead_timer_failures_total"
        return REGISTRY.get_sample_value(name, {"timer": "failing"}) or 0.0

    before, work = counted(), Work(failures=2)
    async with running([Timer("failing", 0.001, work)]):
        await work.until(4)
    assert counted() - before == 2
