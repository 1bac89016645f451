"""However a loop ends, it is started again, counted and named, until somebody stops it."""

import asyncio
import contextlib

import pytest
from prometheus_client import REGISTRY

from kit import supervisor
from kit.causes import NotReady
from kit.supervisor import Loop, Supervisor, spawn, supervising
from tests.eventually import eventually


async def returns() -> None:
    return


async def raises() -> None:
    raise RuntimeError("hunter2")


async def is_cancelled_by_another() -> None:
    """As a library does that closes what we wait on."""
    raise asyncio.CancelledError


class Death(BaseException):
    """What no `except Exception` sees."""


async def dies() -> None:
    raise Death


ENDS = [returns, raises, is_cancelled_by_another, dies]


class Falling:
    """Ends in the given way as often as told, then works until it is stopped."""

    def __init__(self, end, times: int) -> None:
        self._end, self._times = end, times
        self.starts = 0
        self.cancelled = False

    async def run(self) -> None:
        self.starts += 1
        if self.starts <= self._times:
            await self._end()
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def counted(name: str) -> float:
    return REGISTRY.get_sample_value("bulkhead_loop_ends_total", {"loop": name}) or 0.0


@pytest.mark.parametrize("end", ENDS)
async def test_a_loop_that_ends_in_any_way_is_started_again_and_counted(end):
    work, name = Falling(end, times=3), f"test {end.__name__}"
    before, loop = counted(name), Loop(name, work.run, pauses_s=(0.0,))
    loop.start()
    await eventually(lambda: work.starts == 4)
    assert loop.is_up
    assert loop.falls == 3
    assert counted(name) - before == 3
    await loop.stop()
    assert work.cancelled
    assert work.starts == 4


async def test_one_that_lies_on_the_ground_is_named_in_readiness_and_then_no_more():
    work = Falling(raises, times=1)
    async with supervising(Supervisor()) as loops:
        loops.start("the one", work.run)
        loops.start("another", Falling(raises, times=0).run)

        told: list[str] = []

        async def is_told() -> bool:
            try:
                await loops.check()
            except NotReady as down:
                told.append(str(down))
            return bool(told)

        await eventually(is_told)
        assert "the one (fell 1x)" in told[0]
        assert "another" not in told[0]
        await eventually(lambda: work.starts == 2)
        await loops.check()


async def test_the_pauses_grow_and_stay_at_the_last():
    work = Falling(raises, times=100)
    loop = Loop("test", work.run, pauses_s=(0.0, 0.0, 3600.0))
    loop.start()
    await eventually(lambda: loop.falls == 3)
    await asyncio.sleep(0)
    assert work.starts == 3
    await loop.stop()


async def test_the_falls_before_a_steady_time_are_forgotten(monkeypatch):
    monkeypatch.setattr(supervisor, "STEADY_S", 0.0)
    work = Falling(raises, times=3)
    loop = Loop("test", work.run, pauses_s=(0.0, 3600.0))
    loop.start()
    await eventually(lambda: work.starts == 4)
    assert loop.falls == 1
    await loop.stop()


async def test_stopping_does_not_wait_for_a_pause():
    loop = Loop("test", returns, pauses_s=(3600.0,))
    loop.start()
    await eventually(lambda: loop.falls == 1)
    async with asyncio.timeout(5):
        await loop.stop()


async def test_work_that_a_library_keeps_from_its_cancellation_is_cancelled_again(monkeypatch):
    monkeypatch.setattr(supervisor, "CANCEL_AGAIN_S", 0.05)
    waits = 0

    async def run() -> None:
        nonlocal waits
        while True:
            waits += 1
            with contextlib.suppress(asyncio.CancelledError if waits == 1 else ConnectionError):
                await asyncio.Event().wait()

    loop = Loop("test", run)
    loop.start()
    await eventually(lambda: waits == 1)
    async with asyncio.timeout(5):
        await loop.stop()
    assert waits == 2


async def test_a_loop_may_end_by_itself_within_its_grace():
    told, finished = asyncio.Event(), False

    async def run() -> None:
        nonlocal finished
        await told.wait()
        finished = True

    loop = Loop("test", run)
    loop.start()
    await asyncio.sleep(0)
    stopping = asyncio.create_task(loop.stop(grace_s=5))
    await asyncio.sleep(0)
    told.set()
    await stopping
    assert finished


async def test_a_block_that_fails_leaves_no_loop_behind():
    work = Falling(raises, times=0)
    with contextlib.suppress(RuntimeError):
        async with supervising(Supervisor()) as loops:
            loops.start("test", work.run)
            await eventually(lambda: work.starts == 1)
            raise RuntimeError
    assert work.cancelled


async def test_spawned_work_is_kept_until_its_end_and_gives_its_result():
    async def answer() -> int:
        await asyncio.sleep(0)
        return 7

    assert await spawn(answer(), "test") == 7
