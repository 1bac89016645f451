"""The house rules of every service: bodies, problems, headers, health."""

import contextlib
import errno
from typing import Annotated, Literal, Self

import asyncpg
import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from contracts.schema import Strict
from kit.http import build_app
from kit.problems import Conflict


class Secret(Strict):
    name: str
    password: SecretStr


router = APIRouter()


@router.post("/secrets")
async def keep(body: Secret, limit: Annotated[int, Query(ge=1)] = 1) -> dict[str, str]:
    return {"name": body.name}


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Literal["cat"]
    claws: int
    lives: list[int] = []

    @model_validator(mode="after")
    def _lucky(self) -> Self:
        if self.claws == 13:
            raise ValueError("hunter2")
        return self


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]
    tail: bool


@router.post("/pets")
async def keep_pet(body: Annotated[Cat | Dog, Field(discriminator="kind")]) -> str:
    return body.kind


@router.get("/conflict")
async def conflict() -> None:
    raise Conflict("already there", pointer="/name")


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError("hunter2 must not be shown")


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    yield


async def fine() -> None:
    return None


async def failing() -> None:
    raise ConnectionRefusedError


def client(wanted=None, **checks) -> httpx2.AsyncClient:
    app = build_app(
        title="test",
        routers=[router],
        checks=checks,
        wanted=wanted,
        lifespan=lifespan,
    )
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


JSON = {"content-type": "application/json"}


async def post(content: bytes, path: str = "/secrets", **headers: str) -> httpx2.Response:
    async with client() as http:
        return await http.post(path, content=content, headers=JSON | headers)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"name":', "not well-formed"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": Infinity}', "NaN and Infinity"),
        (b'{"n": 1e999}', "out of range"),
        (b'{"n": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"name": "a\\u0000b"}', "NUL"),
        (b'{"name": "a\x00b"}', "NUL"),
        (b'{"name": "\\ud800"}', "lone surrogate"),
        (b'{"name": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"name": "a", "name": "b"}', "same key twice"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"[" * 40 + b"]" * 40, "nested deeper"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
    ],
)
async def test_json_that_two_parsers_may_read_differently_is_a_400(content, reason):
    answer = await post(content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/body-malformed"
    assert reason in answer.json()["detail"]


async def test_a_path_with_nul_names_nothing():
    assert (await post(b"{}", "/secrets%00")).status_code == 404


async def test_a_refused_body_is_never_echoed():
    answer = await post(b'{"name": 5, "password": {"a": "hunter2"}, "hunter2": 1}')
    assert answer.status_code == 422
    pointers = {one["pointer"] for one in answer.json()["errors"]}
    assert pointers == {"/name", "/password", "/hunter2"}
    assert "hunter2" not in answer.text.replace("/hunter2", "")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b'{"kind": "cat", "claws": "hunter2"}', {"/claws"}),
        (b'{"kind": "cat", "lives": [1, "hunter2"]}', {"/claws", "/lives/1"}),
        (b'{"kind": "dog", "claws": 1}', {"/claws", "/tail"}),
        (b'{"kind": "cat", "claws": 13}', {""}),
        (b'{"kind": "hunter2"}', {""}),
        (b"{}", {""}),
    ],
)
async def test_a_body_of_one_of_several_forms_is_refused_at_the_place_that_was_sent(body, errors):
    answer = await post(body, "/pets")
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == errors
    assert "hunter2" not in answer.text


async def test_a_wrong_query_parameter_is_named():
    answer = await post(b'{"name": "n", "password": "p"}', "/secrets?limit=0")
    assert answer.json()["errors"][0]["pointer"] == "#query/limit"


async def test_other_media_types_and_encodings_are_refused():
    async with client() as http:
        plain = {"content-type": "text/plain"}
        assert (await http.post("/secrets", content=b"{}", headers=plain)).status_code in {415, 422}
    assert (await post(b"{}", **{"content-encoding": "gzip"})).status_code == 415


async def test_every_error_is_a_problem_and_the_unforeseen_shows_nothing():
    async with client() as http:
        answers = [await http.get(path) for path in ("/conflict", "/broken", "/nowhere")]
        answers.append(await http.delete("/conflict"))
    assert [one.status_code for one in answers] == [409, 500, 404, 405]
    assert all(one.headers["content-type"] == "application/problem+json" for one in answers)
    assert answers[0].json()["pointer"] == "/name"
    assert "hunter2" not in answers[1].text


async def test_every_answer_carries_request_id_and_security_headers():
    async with client() as http:
        for path in ("/livez", "/nowhere", "/broken"):
            answer = await http.get(path)
            assert len(answer.headers["x-request-id"]) == 36
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ("0190b0c4-6b1c-7e2e-9d1a-0a1b2c3d4e5f", True),
        ("0190b0c4-6b1c-7e2e-9d1a-0a1b2c3d4e5", False),
        ("-" * 36, False),
        ("hunter2", False),
        ("0190B0C4-6B1C-7E2E-9D1A-0A1B2C3D4E5F", False),
    ],
)
async def test_a_request_id_of_the_edge_is_kept_and_no_other_text_is(offered, kept):
    async with client() as http:
        answer = await http.get("/livez", headers={"x-request-id": offered})
    assert (answer.headers["x-request-id"] == offered) == kept
    assert len(answer.headers["x-request-id"]) == 36


async def test_readiness_gives_a_verdict_per_dependency():
    async with client(database=fine, broker=failing) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "broker": "it does not answer"}
    async with client(database=fine) as http:
        assert (await http.get("/readyz")).json()["ready"] is True


async def test_a_wanted_dependency_is_shown_but_takes_nothing_out_of_service():
    async with client(wanted={"broker": failing}, database=fine) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "broker": "it does not answer"}


async def test_each_problem_has_a_page():
    async with client() as http:
        page = await http.get("/problems/conflict")
        assert page.status_code == 200
        assert "Read the present state" in page.text
        assert (await http.get("/problems/none")).status_code == 404


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (OSError(errno.ENOSPC, "/secret/place"), 507, "disk-full"),
        (OSError(errno.EROFS, "/secret/place"), 503, "dependency-down"),
        (asyncpg.DiskFullError("secret"), 507, "disk-full"),
        (asyncpg.CannotConnectNowError("secret"), 503, "dependency-down"),
        (OSError(errno.EBADF, "/secret/place"), 500, "internal"),
    ],
)
async def test_what_is_down_is_said_in_words_and_a_full_disk_for_itself(error, status, slug):
    async def fail() -> None:
        raise error

    own = APIRouter()
    own.get("/fail")(fail)
    app = build_app(title="test", routers=[own], checks={}, lifespan=lifespan)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/fail")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert "secret" not in answer.text
