"""Every refusal of the edge reaches people's clients over HTTP/1.1 and 2: status, problem, id."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.edge_parts import (
    HERE,
    OTHER,
    RECORDS,
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
)
from tests.gateway.http_clients import CLIENTS, Call, Client, Seen, ensure_installed

KIB, MIB = 1024, 1024 * 1024
LOGIN, BULK = f"/t/{TENANT}/v1/login", f"{RECORDS}/bulk"


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    ensure_installed()


@pytest.fixture(params=list(CLIENTS))
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = CLIENTS[request.param]
    return found


def assert_refused(seen: Seen, status: int, slug: str) -> None:
    assert seen.status == status
    assert seen.headers["content-type"] == "application/problem+json"
    document = seen.document()
    assert (document["status"], document["type"]) == (status, f"/problems/{slug}")
    assert len(seen.headers["x-request-id"]) == 36
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert seen.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("size", [64 * KIB + 1, 300 * KIB, 5 * MIB])
async def test_a_body_that_is_too_large(edge: EdgeUnderTest, client: Client, size: int) -> None:
    seen = await client(edge, Call(LOGIN, "POST", body=b"x" * size))
    assert_refused(seen, 413, "body-too-large")
    assert seen.document()["detail"] == "this route takes at most 65536 bytes"
    assert edge.upstreams.seen == []


async def test_an_upload_that_is_too_large(edge: EdgeUnderTest, client: Client) -> None:
    token = {"authorization": f"Bearer {edge.token(TENANT)}"}
    seen = await client(edge, Call(BULK, "POST", token, b"x" * (33 * MIB)))
    assert_refused(seen, 413, "body-too-large")
    assert seen.document()["detail"] == f"this route takes at most {32 * MIB} bytes"
    assert edge.upstreams.seen == []


@pytest.mark.parametrize("size", [None, 300 * KIB, 5 * MIB])
async def test_an_upload_without_a_token(
    edge: EdgeUnderTest, client: Client, size: int | None
) -> None:
    body = None if size is None else b"x" * size
    seen = await client(edge, Call(BULK, "POST", body=body))
    assert_refused(seen, 401, "not-authenticated")
    assert seen.document()["detail"] == "Jwt is missing"


async def test_an_address_that_is_in_no_list(edge: EdgeUnderTest, client: Client) -> None:
    token = {"authorization": f"Bearer {edge.token(TENANT)}"}
    await edge.set_lists({TENANT: ["127.0.0.2/32"], OTHER: [HERE]})
    for asked in (
        Call(RECORDS, headers=token),
        Call(LOGIN, "POST", body=b"{}"),
    ):
        assert_refused(await client(edge, asked), 403, "edge-address-refused")
    await edge.set_lists({TENANT: ["127.0.0.0/8"]}, everyone=["127.0.0.2/32"])
    seen = await client(edge, Call(LOGIN, "POST", body=b"x" * (300 * KIB)))
    assert_refused(seen, 403, "edge-address-refused")


async def test_what_is_not_there(edge: EdgeUnderTest, client: Client) -> None:
    token = {"authorization": f"Bearer {edge.token(OTHER)}"}
    for asked in (
        Call("/nowhere"),
        Call("/nowhere", "POST", body=b"x" * (60 * KIB)),
        Call(BULK, "POST", token, b"x" * (300 * KIB)),
    ):
        assert_refused(await client(edge, asked), 404, "not-found")


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND"])
async def test_a_method_that_nothing_here_has(
    edge: EdgeUnderTest, client: Client, method: str
) -> None:
    seen = await client(edge, Call(RECORDS, method))
    assert_refused(seen, 405, "method-not-allowed")
    assert seen.headers["allow"] == "DELETE, GET, HEAD, PATCH, POST, PUT"


@pytest.mark.parametrize("path", ["/v1/tenants/%2f..%2finternal", "/v1/%00", "/v1/tenants/%5c"])
async def test_a_path_with_two_meanings(edge: EdgeUnderTest, client: Client, path: str) -> None:
    seen = await client(edge, Call(path))
    assert_refused(seen, 400, "request-malformed")
    assert seen.document()["detail"] == "path_normalization_failed"


@pytest.mark.parametrize(
    "headers",
    [{f"x-h{n}": "y" * 4000 for n in range(10)}, {f"x-h{n}": "y" for n in range(70)}],
    ids=["bytes", "number"],
)
async def test_too_many_headers(
    edge: EdgeUnderTest, client: Client, headers: dict[str, str]
) -> None:
    for asked in (Call(RECORDS, headers=headers), Call(LOGIN, "POST", headers, b"x" * 300 * KIB)):
        seen = await client(edge, asked)
        assert_refused(seen, 431, "headers-too-large")
        assert "at most" in str(seen.document()["detail"])


@pytest.mark.parametrize("kib", [70, 124])
async def test_headers_beyond_what_most_clients_can_send(edge: EdgeUnderTest, kib: int) -> None:
    """Over HTTP/2 curl and nghttp were never seen to send more than 64 KiB of headers."""
    headers = {f"x-h{n}": "y" * 4000 for n in range(kib // 4)}
    for name in ("curl-1.1", "httpx2-1.1", "httpx2-2"):
        seen = await CLIENTS[name](edge, Call(RECORDS, headers=headers))
        assert_refused(seen, 431, "headers-too-large")


@pytest.fixture(scope="module")
async def strict_edge(
    make_settings: MakeSettings, start_edge: StartEdge
) -> AsyncIterator[EdgeUnderTest]:
    """One request a second from each client."""
    async with start_edge(make_settings(client_requests_per_s=1)) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        yield edge


async def test_more_requests_than_the_limit(strict_edge: EdgeUnderTest, client: Client) -> None:
    token = {"authorization": f"Bearer {strict_edge.token(TENANT)}"}
    for asked in (Call(RECORDS, headers=token), Call(BULK, "POST", token, b"x" * (300 * KIB))):
        for _ in range(20):
            seen = await client(strict_edge, asked)
            if seen.status != 200:
                break
        assert_refused(seen, 429, "too-many-requests")
        assert seen.headers["retry-after"] == "1"


@pytest.fixture(scope="module")
async def lame_edge(
    make_settings: MakeSettings, start_edge: StartEdge
) -> AsyncIterator[EdgeUnderTest]:
    """One service is away, and none has long to answer."""
    times = {'"timeout": "30s"': '"timeout": "3s"'}
    async with start_edge(make_settings(), without=["backup"], shorter=times) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        yield edge


async def test_a_service_that_is_away(lame_edge: EdgeUnderTest, client: Client) -> None:
    token = {"authorization": f"Bearer {lame_edge.token(TENANT)}"}
    asked = Call(f"/t/{TENANT}/v1/backups", "POST", token, b"x" * (60 * KIB))
    assert_refused(await client(lame_edge, asked), 503, "dependency-down")


async def test_a_service_that_does_not_answer_in_time(
    lame_edge: EdgeUnderTest, client: Client
) -> None:
    seen = await client(lame_edge, Call("/v1/egress-addresses?never"))
    assert_refused(seen, 504, "answer-too-late")
