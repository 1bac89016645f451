"""Many who ask at once cost one question; what is forgotten is asked for again."""

import asyncio

import pytest

from kit.single_flight import Kept, SingleFlight
from tests.eventually import eventually


class Source:
    """Answers with how often it was asked, when it is let; fails when told to."""

    def __init__(self) -> None:
        self.asked, self.now, self.fails = list[str](), 0.0, False
        self.answers = asyncio.Event()
        self.answers.set()

    async def ask(self, key: str) -> str:
        self.asked.append(key)
        told = f"{key}{len(self.asked)}"
        await self.answers.wait()
        if self.fails:
            raise ConnectionError
        return told

    def kept(self, size: int = 10) -> Kept[str, str]:
        return Kept(self.ask, keep_s=1.0, size=size, clock=lambda: self.now)


async def test_64_who_ask_at_once_cost_one_question_for_each_key():
    source = Source()
    kept = source.kept()
    for round_ in (1, 2):
        source.answers.clear()
        waiting = [asyncio.create_task(kept.get("ab"[i % 2])) for i in range(64)]
        await eventually(lambda expected=2 * round_: len(source.asked) == expected)
        source.answers.set()
        assert len(set(await asyncio.gather(*waiting))) == 2
        assert len(source.asked) == 2 * round_
        source.now += 1.0


async def test_an_answer_is_kept_until_its_time_is_over_and_not_longer():
    source = Source()
    kept = source.kept()
    for now, expected in ((0.0, "a1"), (0.999, "a1"), (1.0, "a2"), (1.999, "a2"), (2.0, "a3")):
        source.now = now
        assert await kept.get("a") == expected


async def test_an_error_is_shared_but_not_kept():
    source = Source()
    kept, source.fails = source.kept(), True
    source.answers.clear()
    waiting = [asyncio.create_task(kept.get("a")) for _ in range(5)]
    await eventually(lambda: source.asked)
    source.answers.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in results] == [ConnectionError] * 5
    source.fails = False
    assert await kept.get("a") == "a2"


async def test_who_gives_up_takes_the_answer_from_nobody_else():
    source = Source()
    kept = source.kept()
    source.answers.clear()
    first, second = (asyncio.create_task(kept.get("a")) for _ in range(2))
    await eventually(lambda: source.asked)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    source.answers.set()
    assert await second == "a1"


async def test_an_answer_that_was_under_way_when_it_was_forgotten_is_not_kept():
    source = Source()
    kept = source.kept()
    source.answers.clear()
    old = asyncio.create_task(kept.get("a"))
    await eventually(lambda: len(source.asked) == 1)
    kept.forget("a")
    new = asyncio.create_task(kept.get("a"))
    await eventually(lambda: len(source.asked) == 2)
    source.answers.set()
    assert (await old, await new) == ("a1", "a2")
    assert await kept.get("a") == "a2"
    kept.forget("a")
    assert await kept.get("a") == "a3"


async def test_an_answer_that_was_forgotten_on_its_way_is_not_kept_though_nobody_asks_again():
    source = Source()
    kept = source.kept()
    source.answers.clear()
    old = asyncio.create_task(kept.get("a"))
    await eventually(lambda: source.asked)
    kept.forget("a")
    source.answers.set()
    assert await old == "a1"
    assert await kept.get("a") == "a2"


@pytest.mark.parametrize("size", [1, 3])
async def test_no_more_answers_are_kept_than_there_is_room_for(size):
    source = Source()
    kept = source.kept(size)
    keys = "abcd"[: size + 1]
    for key in keys:
        await kept.get(key)
    for key in keys[1:]:
        await kept.get(key)
    assert len(source.asked) == size + 1
    await kept.get(keys[0])
    assert len(source.asked) == size + 2


async def test_different_flights_do_not_wait_for_each_other():
    flights, go = SingleFlight[str, int](), asyncio.Event()

    async def slow() -> int:
        await go.wait()
        return 1

    async def fast() -> int:
        return 2

    late = asyncio.create_task(flights.ask("slow", slow))
    await eventually(lambda: flights.is_under_way("slow"))
    assert await flights.ask("fast", fast) == 2
    go.set()
    assert await late == 1
    await eventually(lambda: not flights.is_under_way("slow"))
