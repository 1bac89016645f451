"""A bound on requests that run: who waits in vain is told when to come back."""

import asyncio
import contextlib

import httpx2
from fastapi import APIRouter, FastAPI

from kit.http import build_app
from tests.eventually import eventually

router = APIRouter()


class Gate:
    running = 0
    opened = asyncio.Event()


@router.get("/held")
async def held() -> None:
    Gate.running += 1
    await Gate.opened.wait()
    Gate.running -= 1


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError


@router.post("/body")
async def body() -> None: ...


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    yield


@contextlib.asynccontextmanager
async def client(*, most: int, wait_s: float):
    Gate.running, Gate.opened = 0, asyncio.Event()
    app = build_app(
        title="test",
        routers=[router],
        checks={},
        lifespan=lifespan,
        requests_most=most,
        request_wait_s=wait_s,
    )
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


async def test_one_more_than_the_most_is_a_503_that_says_when_to_come_back():
    async with client(most=2, wait_s=0.05) as http:
        first = [asyncio.create_task(http.get("/held")) for _ in range(2)]
        await eventually(lambda: Gate.running == 2)
        answer = await http.get("/held")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["type"] == "/problems/server-busy"
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
        Gate.opened.set()
        assert [one.status_code for one in await asyncio.gather(*first)] == [200, 200]
        assert (await http.get("/held")).status_code == 200


async def test_a_place_that_becomes_free_is_taken_by_who_waits():
    async with client(most=1, wait_s=10) as http:
        both = [asyncio.create_task(http.get("/held")) for _ in range(2)]
        await eventually(lambda: Gate.running == 1)
        Gate.opened.set()
        assert [one.status_code for one in await asyncio.gather(*both)] == [200, 200]


async def test_failed_and_cancelled_requests_give_their_place_back():
    async with client(most=1, wait_s=0.05) as http:
        for _ in range(3):
            assert (await http.get("/broken")).status_code == 500
        given_up = asyncio.create_task(http.get("/held"))
        await eventually(lambda: Gate.running == 1)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        Gate.opened.set()
        assert (await http.get("/held")).status_code == 200


async def test_a_body_on_its_way_holds_no_place():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slowly():
        yield b"a"
        begun.set()
        await ended.wait()
        yield b"b"

    async with client(most=1, wait_s=0.05) as http:
        slow = asyncio.create_task(http.post("/body", content=slowly()))
        Gate.opened.set()
        await begun.wait()
        assert (await http.get("/held")).status_code == 200
        ended.set()
        assert (await slow).status_code == 200
