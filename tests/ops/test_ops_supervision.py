"""What ends is started again, whatever it was; one that falls for ever holds up no other."""

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from ops.local.supervision import STEADY_S, Falls, Supervised, supervise
from tests.eventually import eventually


def test_the_pause_grows_with_each_fall_to_a_bound():
    falls = Falls()
    pauses = []
    for _ in range(8):
        pauses.append(falls.pause_s(100.0))
        falls.lifted(100.0)
    assert pauses == [0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


@pytest.mark.parametrize(("lasted_s", "pause_s"), [(STEADY_S - 0.1, 0.8), (STEADY_S, 0.4)])
def test_falls_are_forgotten_once_it_was_steady(lasted_s, pause_s):
    falls = Falls()
    falls.pause_s(100.0)
    falls.lifted(100.0)
    assert falls.pause_s(100.0 + lasted_s) == pause_s


@dataclass
class Made:
    """A part whose starts are counted; `fails` says how many of them go wrong."""

    fails: int = 0
    is_up: bool = True
    starts: int = 0

    async def lift(self) -> None:
        self.starts += 1
        if self.starts <= self.fails:
            raise RuntimeError("no room")
        self.is_up = True

    def part(self, name: str) -> Supervised:
        return Supervised(name, lambda: self.is_up, self.lift)


@contextlib.asynccontextmanager
async def supervised(*parts: Supervised):
    said: list[str] = []
    task = asyncio.create_task(supervise(parts, said.append))
    try:
        yield said
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_part_that_ends_is_started_again_and_one_that_cannot_start_holds_up_no_other():
    hopeless, good = Made(fails=1000, is_up=False), Made()
    async with supervised(hopeless.part("hopeless"), good.part("good")) as said:
        await eventually(lambda: hopeless.starts >= 3, deadline_s=12)
        good.is_up = False
        await eventually(lambda: good.is_up)
        await eventually(lambda: hopeless.starts >= 4)
    assert good.starts == 1
    assert "hopeless did not start: no room" in said


async def test_a_start_under_way_ends_before_the_supervision_does():
    """Else what it starts would be left behind."""
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def lift() -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    task = asyncio.create_task(
        supervise([Supervised("slow", lambda: False, lift)], lambda _line: None)
    )
    await begun.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=0.2)
    assert not done
    may_end.set()
    await asyncio.wait([task])
    assert ended.is_set()
