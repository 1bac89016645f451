"""A service begins in order, says why it does not, and ends without leaving anything open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from kit import chassis, clock
from kit.causes import NotReady
from kit.chassis import Made
from kit.db import Database
from kit.messaging.memory import MemoryBroker
from kit.notice import Notice
from kit.timers import Timer
from tests.eventually import eventually

router = APIRouter()


@router.get("/work")
async def work() -> dict[str, str]:
    return {}


async def handle(_session: Any, _notice: Any) -> None:
    raise AssertionError("nothing is sent")


def note(steps: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def write() -> None:
        steps.append(name)

    return write


@contextlib.asynccontextmanager
async def running(made: Made) -> AsyncIterator[httpx2.AsyncClient]:
    app: FastAPI = chassis.build(made)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app):
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


def made(**parts: Any) -> Made:
    usual: dict[str, Any] = {"name": "test", "broker": MemoryBroker(), "routers": [router]}
    return Made(**usual | parts)


async def test_until_a_step_of_the_opening_passes_nobody_is_served_and_it_is_said_why():
    steps: list[str] = []
    right = False

    async def key() -> None:
        if not right:
            raise NotReady("the key is another one")

    timer = Timer("test", 3600, note(steps, "timer"))
    async with running(made(opening=[key, note(steps, "opened")], timers=[timer])) as client:
        refused = await client.get("/work")
        assert (refused.status_code, refused.json()["detail"]) == (
            503,
            "not started: the key is another one",
        )
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["start"] == "the key is another one"
        assert (await client.get("/livez")).status_code == 200
        assert steps == []
        right = True

        async def served() -> bool:
            return (await client.get("/work")).status_code == 200

        await eventually(served)
        assert (await client.get("/readyz")).status_code == 200
        await eventually(lambda: steps == ["opened", "timer"])


async def test_the_text_of_an_unforeseen_error_is_not_shown():
    async def broken() -> None:
        raise RuntimeError("hunter2")

    async with running(made(opening=[broken])) as client:
        assert "hunter2" not in (await client.get("/readyz")).text
        assert "hunter2" not in (await client.get("/work")).text


async def test_a_database_that_is_away_at_the_start_is_waited_for():
    db = Database("postgresql://x:x@127.0.0.1:1/x")
    async with running(made(db=db)) as client:
        checks = (await client.get("/readyz")).json()["checks"]
        assert checks["start"] == checks["database"] == "nothing listens there"


async def test_it_ends_in_the_opposite_order():
    steps: list[str] = []

    class Broker(MemoryBroker):
        async def close(self) -> None:
            steps.append("broker")

    async def loop() -> None:
        try:
            await note(steps, "begun")()
            await eventually(lambda: False, 60)
        finally:
            steps.append("loop")

    parts = made(
        broker=Broker(),
        loops={"test": loop},
        closing=[note(steps, "first"), note(steps, "second")],
    )
    async with running(parts):
        await eventually(lambda: steps == ["begun"])
    assert steps == ["begun", "loop", "second", "first", "broker"]


async def test_notices_end_before_all_else_and_the_database_is_closed_last(
    service_db: Callable[[str], Awaitable[str]],
):
    steps: list[str] = []

    class Consumer:
        async def close(self) -> None:
            steps.append("notices")

    class Broker(MemoryBroker):
        async def consume(self, *_: Any, **__: Any) -> Consumer:
            return Consumer()

        async def close(self) -> None:
            steps.append("broker")

    class Noted(Database):
        async def close(self) -> None:
            steps.append("database")
            await super().close()

    class Happened(Notice):
        topic = "test.happened.v1"

    async def loop() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("loop")

    begun = asyncio.Event()
    parts = made(
        broker=Broker(),
        db=Noted(await service_db("auth")),
        handlers={Happened: handle},
        loops={"test": loop},
        closing=[note(steps, "closing")],
    )
    async with running(parts):
        await begun.wait()
    assert steps == ["notices", "loop", "closing", "broker", "database"]


async def test_what_fails_inside_closes_everything_all_the_same():
    steps: list[str] = []
    with pytest.raises(RuntimeError, match="inside"):
        async with running(made(closing=[note(steps, "closed")])):
            raise RuntimeError("inside")
    assert steps == ["closed"]


async def test_a_loop_that_has_ended_is_shown_and_decides_where_loops_are_all_there_is():
    async def falls() -> None:
        raise RuntimeError

    for needs_loops, status in ((False, 200), (True, 503)):
        async with running(made(loops={"one": falls}, needs_loops=needs_loops)) as client:

            async def is_named(client: httpx2.AsyncClient = client, status: int = status) -> bool:
                ready = await client.get("/readyz")
                return "one (fell" in ready.json()["checks"]["loops"] and (
                    ready.status_code == status
                )

            await eventually(is_named)


@pytest.mark.parametrize(("hours", "side"), [(2, "ahead of"), (-2, "behind")])
async def test_clocks_that_differ_are_told_in_words(
    hours: int,
    side: str,
    service_db: Callable[[str], Awaitable[str]],
    monkeypatch: pytest.MonkeyPatch,
):
    db = Database(await service_db("auth"))
    try:
        await chassis.clocks_agree(db)()
        present = clock.now
        monkeypatch.setattr(clock, "now", lambda: present() + timedelta(hours=hours))
        with pytest.raises(NotReady, match=rf"clock is \d+ s {side} PostgreSQL's"):
            await chassis.clocks_agree(db)()
    finally:
        await db.close()
