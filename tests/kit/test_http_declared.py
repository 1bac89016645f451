"""A route takes what it declares: parameters, media types and methods; the rest is named."""

import contextlib
import json
import logging
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Response

from contracts.schema import Strict
from kit.http import build_app

router = APIRouter()
RUNS: list[str] = []


class Thing(Strict):
    name: str


def paging(page: int = 1) -> int:
    return page


@router.get("/things")
async def list_things(
    page: Annotated[int, Depends(paging)],
    limit: Annotated[int | None, Query(ge=1)] = None,
    tag: Annotated[list[str] | None, Query()] = None,
) -> dict[str, int]:
    RUNS.append("list")
    return {"limit": limit or 0, "tags": len(tag or [])}


@router.post("/things", status_code=201)
async def make_thing(body: Thing) -> Thing:
    return body


@router.delete("/things")
async def drop_things() -> None: ...


@router.get("/things/{name}")
async def read_thing(name: str, response: Response) -> Thing:
    response.headers["etag"] = '"1"'
    return Thing(name=name)


@router.put("/things/{name}")
async def put_thing(name: str) -> None: ...


@router.post("/deeds")
async def act() -> dict[str, bool]:
    return {"done": True}


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    yield


def app() -> FastAPI:
    return build_app(title="test", routers=[router], checks={}, lifespan=lifespan)


@pytest.fixture
async def http():
    transport = httpx2.ASGITransport(app(), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("name=x", {"#query/name"}),
        ("filter[name]=x", {"#query/filter[name]"}),
        ("Limit=5", {"#query/Limit"}),
        ("limit=", {"#query/limit"}),
        ("limit=5&limit=5", {"#query/limit"}),
        ("page=1&page=2", {"#query/page"}),
        ("limit=5&x=1&y=2&x=3", {"#query/x", "#query/y"}),
        ("nonsense", {"#query/nonsense"}),
        ("a/b~c=1", {"#query/a~1b~0c"}),
        ("tag[]=1", {"#query/tag[]"}),
        ("%00=1", {"#query/\x00"}),
    ],
)
async def test_a_parameter_that_is_not_declared_or_repeated_is_named(http, query, wrong):
    RUNS.clear()
    answer = await http.get(f"/things?{query}")
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == wrong
    assert RUNS == []


async def test_the_refusal_says_what_the_route_takes(http):
    answer = await http.get("/things?Limit=5")
    assert answer.json()["errors"][0]["message"].endswith("takes limit, page, tag")
    assert "no query" in (await http.post("/deeds?now=1")).json()["errors"][0]["message"]


@pytest.mark.parametrize("query", ["", "limit=5", "page=2&limit=1", "tag=a&tag=b&tag=b", "tag=a"])
async def test_what_is_declared_is_taken_and_a_list_may_be_repeated(http, query):
    assert (await http.get(f"/things?{query}")).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/problems/not-found"])
async def test_the_rule_holds_for_the_kits_own_routes(http, path):
    assert (await http.get(f"{path}?x=1")).status_code == 422


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonx", "a+json",
     ""],
)  # fmt: skip
async def test_a_body_of_another_type_or_of_none_is_a_415(http, kind):
    headers = {"content-type": kind} if kind else {}
    answer = await http.post("/things", content=b'{"name": "n"}', headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_by_any_of_its_names_is_taken(http, kind):
    headers = {"content-type": kind}
    answer = await http.post("/things", content=b'{"name": "n"}', headers=headers)
    assert answer.status_code == 201


async def test_without_a_body_a_missing_one_is_named_whatever_the_type(http):
    for headers in ({}, {"content-type": "text/plain"}):
        assert (await http.post("/things", headers=headers)).status_code == 422


async def test_allow_lists_every_method_of_the_path_and_of_no_other(http):
    cases = {"/things": "DELETE, GET, HEAD, POST", "/things/x": "GET, HEAD, PUT", "/deeds": "POST"}
    for path, allowed in cases.items():
        answer = await http.request("PATCH", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert "allow" not in (await http.request("PATCH", "/nowhere")).headers


async def test_head_says_what_get_says_without_the_body(http):
    for path in ("/things?limit=3", "/things/x", "/livez", "/things?x=1", "/nowhere"):
        got, head = await http.get(path), await http.head(path)
        assert head.status_code == got.status_code
        assert head.content == b""
        for name in ("content-length", "content-type", "etag"):
            assert head.headers.get(name) == got.headers.get(name)


async def test_a_server_gets_no_body_for_head(http):
    """Servers and test clients drop it themselves: this looks at what the app hands out."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "HEAD",
        "path": "/things",
        "headers": [],
        "query_string": b"",
    }
    await app()({**scope, "http_version": "1.1", "root_path": "", "scheme": "http"}, receive, send)
    assert sent[0]["status"] == 200
    assert b"".join(one.get("body", b"") for one in sent) == b""


async def test_head_where_there_is_no_get_is_a_405(http):
    answer = await http.head("/deeds")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ("order-17/a", True),
        ("!" * 128, True),
        ("!" * 129, False),
        ("two words", False),
        ("tab\t", False),
        ("\x7f", False),
        ("é".encode(), False),
        ("", False),
    ],
)
async def test_a_callers_own_request_id_is_kept_beside_ours(http, caplog, offered, kept):
    with caplog.at_level(logging.INFO, "kit.http.envelope"):
        answer = await http.get("/things", headers={"x-client-request-id": offered})
    assert answer.headers.get("x-client-request-id") == (offered if kept else None)
    assert len(answer.headers["x-request-id"]) == 36
    line = next(one for one in caplog.records if one.getMessage() == "request")
    assert line.__dict__["request_id"] == answer.headers["x-request-id"]
    assert line.__dict__.get("client_request_id") == (offered if kept else None)


async def test_a_head_request_is_logged_under_its_route(http, caplog):
    with caplog.at_level(logging.INFO, "kit.http.envelope"):
        await http.head("/things/secret-name")
    line = next(one for one in caplog.records if one.getMessage() == "request")
    assert (line.__dict__["method"], line.__dict__["path"]) == ("HEAD", "/things/{name}")
    assert "secret-name" not in json.dumps(line.__dict__, default=str)
