"""Bodies are bounded in size and time before anything is parsed; refusals name twenty faults."""

import asyncio
import contextlib
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import SecretStr, ValidationError

from bench import hostile_bodies as hostile
from contracts.schema import Strict
from kit.http import build_app
from kit.http.bodies import DEFAULT_LIMIT, LARGEST_READ_HERE
from tests.growth import TWICE, growth

UPLOAD = 2 * LARGEST_READ_HERE
router = APIRouter()


class Login(Strict):
    email: str
    password: SecretStr


@router.post("/login")
async def login(body: Login) -> dict[str, str]:
    return {}


@router.post("/named/ids")
async def ids(body: dict[str, Any]) -> dict[str, int]:
    return {"members": len(body)}


@router.post("/named/upload")
async def upload(request: Request, wanted: bool = True) -> dict[str, int]:
    return {"read": len(await request.body()) if wanted else 0}


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    yield


def app(timeout_s: float = 30.0) -> FastAPI:
    return build_app(
        title="bodies",
        routers=[router],
        checks={},
        lifespan=lifespan,
        body_limits={"/named/ids$": 2 * DEFAULT_LIMIT, "/named/upload$": UPLOAD},
        body_timeout_s=timeout_s,
    )


async def post(path: str, content: Any, kind: str = hostile.JSON, **options) -> httpx2.Response:
    transport = httpx2.ASGITransport(app(**options), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.post(path, content=content, headers={"content-type": kind})


def padded(size: int) -> bytes:
    return b'{"a": 1' + b" " * (size - 8) + b"}"


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/login", DEFAULT_LIMIT),
        ("/named/ids", 2 * DEFAULT_LIMIT),
        ("/named/upload", LARGEST_READ_HERE),
    ],
)
async def test_json_is_as_large_as_its_route_says_and_not_one_byte_more(path, limit):
    """JSON is parsed in the event loop, so an upload route gives it no more than 1 MiB."""
    assert (await post(path, padded(limit))).status_code in {200, 422}
    answer = await post(path, padded(limit + 1))
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        f"this route takes at most {limit} bytes",
    )


async def test_a_large_body_without_a_length_is_counted_as_it_comes():
    async def parts(size: int):
        for _ in range(size // 1024):
            yield b" " * 1024
        yield b"{}" if size % 1024 else b" "

    for path, limit in (("/login", DEFAULT_LIMIT), ("/named/upload", UPLOAD)):
        assert (await post(path, parts(limit), hostile.CSV)).status_code == 413
        assert (await post(path, parts(limit - 1024), hostile.CSV)).status_code in {200, 415}


async def test_a_large_body_of_a_stranger_is_refused_before_it_is_parsed():
    for make in hostile.WORST_JSON:
        assert (await post("/login", make(900_000))).status_code == 413


async def test_an_upload_that_its_route_does_not_want_stays_unread():
    seen = list[int]()

    async def parts():
        for number in range(3):
            seen.append(number)
            yield b"x"

    answer = await post("/named/upload?wanted=false", parts(), hostile.CSV)
    assert (answer.json(), seen) == ({"read": 0}, [])


@pytest.mark.parametrize("path", ["/login", "/named/upload"])
async def test_a_body_that_takes_too_long_is_a_408(path):
    async def never():
        yield b"{"
        await asyncio.Event().wait()

    assert (await post(path, never(), hostile.CSV, timeout_s=0.05)).status_code == 408


@pytest.mark.parametrize("path", ["/login", "/named/upload"])
async def test_a_client_that_goes_away_gets_no_answer_and_is_no_error(path, caplog):
    sent = list[Any]()
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app()(scope | {"raw_path": path.encode(), "http_version": "1.1"}, gone, send)
    assert sent == []
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


async def test_a_refusal_names_twenty_faults_and_says_that_there_are_more():
    known = b'"email": "a", "password": "b"'
    for unknown, more in ((20, None), (21, True), (5_000, True)):
        members = b",".join(b'"m%05d": 1' % number for number in range(unknown))
        answer = await post("/login", b"{%s, %s}" % (known, members))
        assert (answer.status_code, answer.json().get("more")) == (422, more)
        assert len(answer.json()["errors"]) == 20


def test_unknown_members_are_not_a_fault_each():
    """Pydantic makes an error for each: what nobody will read must not be made."""

    def cost(given: dict[str, int]) -> None:
        with pytest.raises(ValidationError, match="Extra inputs") as caught:
            Login.model_validate(given)
        assert caught.value.error_count() <= 23

    assert growth(cost, lambda size: dict.fromkeys(map(str, range(size)), 1), 20_000) < TWICE
