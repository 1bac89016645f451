"""Conditional requests: a change names its version (RFC 9110 13.1.1), a read may save its body."""

import contextlib
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Response

from kit.http import IfMatch, build_app
from kit.http.conditions import TagsMalformed, Versions, parse_tags
from kit.problems import PreconditionFailed

router = APIRouter()
ETAG = '"v-2"'


@router.get("/thing")
async def read(response: Response) -> dict[str, int]:
    response.headers["etag"] = ETAG
    return {"version": 2}


@router.get("/weak")
async def read_weak(response: Response) -> dict[str, int]:
    response.headers["etag"] = f"W/{ETAG}"
    return {"version": 2}


@router.get("/untagged")
async def read_untagged() -> dict[str, int]:
    return {"version": 2}


@router.get("/refused")
async def refuse() -> Response:
    return Response(status_code=409, headers={"etag": ETAG})


@router.post("/thing")
async def post(response: Response) -> dict[str, int]:
    response.headers["etag"] = ETAG
    return {"version": 2}


@router.put("/thing")
async def change(versions: IfMatch) -> dict[str, bool]:
    if not versions.hold(ETAG):
        raise PreconditionFailed
    return {"changed": True}


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    yield


async def call(method: str, path: str, *headers: tuple[str, Any]) -> httpx2.Response:
    app = build_app(title="test", routers=[router], checks={}, lifespan=lifespan)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, headers=list(headers))


@pytest.mark.parametrize(
    "value",
    [ETAG, "*", " * ", f'"v-1", {ETAG}', f'{ETAG},"v-3"', f",, {ETAG} ,", f'W/"v-1",{ETAG}'],
)  # fmt: skip
async def test_a_change_of_a_named_version_goes_through(value):
    assert (await call("PUT", "/thing", ("if-match", value))).status_code == 200


@pytest.mark.parametrize(
    "value",
    ['"v-1"', f"W/{ETAG}", f"w/{ETAG}", "v-2", '"v-1", "v-3"', "", ",", f"{ETAG} {ETAG}",
     f"*, {ETAG}", f"{ETAG}, *", '"v-2', f"{ETAG};", '"V-2"', '"v-2 "'],
)  # fmt: skip
async def test_a_change_of_another_version_or_of_none_is_a_412(value):
    answer = await call("PUT", "/thing", ("if-match", value))
    assert answer.status_code == 412


async def test_several_headers_are_one_list():
    lines = ("if-match", '"v-1"'), ("if-match", ETAG)
    assert (await call("PUT", "/thing", *lines)).status_code == 200
    assert (await call("PUT", "/thing", *reversed(lines))).status_code == 200


async def test_a_change_without_a_version_is_a_428():
    assert (await call("PUT", "/thing")).status_code == 428


def test_a_weak_tag_of_ours_would_never_be_held():
    assert not Versions(frozenset({'W/"1"'})).hold('W/"1"')


@pytest.mark.parametrize(
    "text", ["", " ", "*,", '"a', 'a"', "W/", 'W/ "a"', '"a" "b"', '"a";"b"', '"\x01"']
)
def test_what_is_no_list_of_tags_is_told_apart(text):
    with pytest.raises(TagsMalformed):
        parse_tags([text])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "value"),
    [("/thing", ETAG), ("/thing", f"W/{ETAG}"), ("/thing", "*"), ("/thing", f'"x", {ETAG}'),
     ("/weak", ETAG), ("/weak", f"W/{ETAG}")],
)  # fmt: skip
async def test_a_read_of_a_known_version_is_a_304_without_a_body(method, path, value):
    answer = await call(method, path, ("if-none-match", value))
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"].endswith(ETAG)
    assert answer.headers["cache-control"] == "no-store"
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "value"),
    [("GET", "/thing", '"v-1"'), ("GET", "/thing", "v-2"), ("GET", "/thing", ""),
     ("GET", "/untagged", "*"), ("GET", "/untagged", ETAG), ("POST", "/thing", ETAG)],
)  # fmt: skip
async def test_any_other_answer_is_whole(method, path, value):
    answer = await call(method, path, ("if-none-match", value))
    assert (answer.status_code, answer.json()) == (200, {"version": 2})


async def test_an_error_is_never_a_304():
    assert (await call("GET", "/refused", ("if-none-match", ETAG))).status_code == 409
    assert (await call("GET", "/nowhere", ("if-none-match", "*"))).status_code == 404
