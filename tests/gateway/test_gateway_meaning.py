"""A request has one meaning or is refused; a caller's words are taken as HTTP means them."""

import json

import pytest

from tests.gateway.edge_parts import RECORDS, TENANT, EdgeUnderTest
from tests.gateway.http_clients import ensure_installed, run

HOST = "host: localhost\r\n"
MALFORMED: dict[str, tuple[str, int, str, str]] = {
    "unknown method": (f"BREW / HTTP/1.1\r\n{HOST}", 400, "request-malformed", "codec"),
    "method in small letters": (f"get / HTTP/1.1\r\n{HOST}", 400, "request-malformed", "codec"),
    "a tunnel": (f"CONNECT a:80 HTTP/1.1\r\n{HOST}", 405, "method-not-allowed", "method"),
    "no path": (f"GET v1/me HTTP/1.1\r\n{HOST}", 400, "request-malformed", "codec"),
    "a fragment": (f"GET /v1/me#x HTTP/1.1\r\n{HOST}", 400, "request-malformed", "path"),
    "a NUL": (f"GET /v1/%00 HTTP/1.1\r\n{HOST}", 400, "request-malformed", "path"),
    "no host": ("GET / HTTP/1.1\r\n", 400, "request-malformed", "host"),
    "an empty host": ("GET / HTTP/1.1\r\nhost:\r\n", 400, "request-malformed", "exactly one"),
    "two hosts": (f"GET / HTTP/1.1\r\n{HOST}host: b\r\n", 400, "request-malformed", "exactly one"),
    "one host twice": (f"GET / HTTP/1.1\r\n{HOST}{HOST}", 400, "request-malformed", "exactly one"),
    "a host with a path": ("GET / HTTP/1.1\r\nhost: a/b\r\n", 400, "request-malformed", "auth"),
    "length and chunks": (
        f"POST / HTTP/1.1\r\n{HOST}content-length: 3\r\ntransfer-encoding: chunked\r\n",
        400,
        "request-malformed",
        "content_length_and_chunked",
    ),
    "two lengths": (
        f"POST / HTTP/1.1\r\n{HOST}content-length: 3\r\ncontent-length: 4\r\n",
        400,
        "request-malformed",
        "codec",
    ),
    "a broken chunk": (
        f"POST / HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\nzz\r\n",
        400,
        "request-malformed",
        "codec",
    ),
    "another coding": (
        f"POST / HTTP/1.1\r\n{HOST}transfer-encoding: gzip\r\n",
        400,
        "request-malformed",
        "transfer_encoding",
    ),
    "an upgrade": (
        f"GET / HTTP/1.1\r\n{HOST}connection: upgrade\r\nupgrade: websocket\r\n",
        400,
        "request-malformed",
        "upgrade",
    ),
    "HTTP/1.0": (f"GET / HTTP/1.0\r\n{HOST}", 426, "http-too-old", ""),
    "a long path": (f"GET /{'a' * 140_000} HTTP/1.1\r\n{HOST}", 431, "headers-too-large", "large"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_clear_request_is_a_problem_with_an_id(
    edge: EdgeUnderTest, name: str
) -> None:
    head, status, slug, cause = MALFORMED[name]
    if "connection" not in head:
        head = head.replace("\r\n", "\r\nconnection: close\r\n", 1)
    answer = await edge.raw(f"{head}\r\n".encode())
    lines, _, body = answer.partition("\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines.split("\r\n")[1:])
    assert lines.startswith(f"HTTP/1.1 {status} ")
    assert headers["content-type"] == "application/problem+json"
    assert len(headers["x-request-id"]) == 36
    assert headers["x-content-type-options"] == "nosniff"
    document = json.loads(body)
    assert (document["status"], document["type"]) == (status, f"/problems/{slug}")
    assert cause in document.get("detail", "")
    assert edge.upstreams.seen == []


async def test_two_hosts_are_refused_over_http_2(edge: EdgeUnderTest) -> None:
    ensure_installed()
    command = ["nghttp", "-v", "--no-dep", "-H", ":authority: a.test", "-H"]
    output = await run([*command, "host: b.test", f"{edge.url}/nowhere"])
    assert ":status: 400" in output
    assert '"type":"/problems/request-malformed"' in output
    output = await run([*command, "host: a.test", f"{edge.url}/nowhere"])
    assert ":status: 404" in output


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "bearer  "])
async def test_the_scheme_of_a_token_has_no_case(edge: EdgeUnderTest, scheme: str) -> None:
    given = f"{scheme} {edge.token(TENANT)}"
    answer = await edge.call(RECORDS, headers={"authorization": given})
    assert answer.status_code == 200
    assert answer.json()["headers"]["authorization"] == f"Bearer {edge.token(TENANT)}"


@pytest.mark.parametrize("scheme", ["Basic", "Bearerx", "Bearer:", "", "Token"])
async def test_no_other_scheme_carries_a_token(edge: EdgeUnderTest, scheme: str) -> None:
    given = f"{scheme} {edge.token(TENANT)}".strip()
    answer = await edge.call(RECORDS, headers={"authorization": given})
    assert answer.status_code == 401


async def test_the_edge_names_requests_and_keeps_a_clients_name_beside(
    edge: EdgeUnderTest,
) -> None:
    mine = {"x-request-id": "order-4711", "x-client-request-id": "forged"}
    answer = await edge.call(RECORDS, edge.token(TENANT), headers=mine)
    seen = answer.json()["headers"]
    assert len(seen["x-request-id"]) == 36
    assert seen["x-request-id"] == answer.headers["x-request-id"]
    assert seen["x-client-request-id"] == "order-4711"
    assert answer.headers["x-client-request-id"] == "order-4711"
    line = await edge.log_line(answer)
    assert line["client_request_id"] == "order-4711"
    refused = await edge.call(RECORDS, headers=mine)
    assert refused.headers["x-client-request-id"] == "order-4711"


@pytest.mark.parametrize("given", ["x" * 129, "a b", "a\tb", "é", "", None])
async def test_a_clients_name_is_short_and_visible_or_not_there(
    edge: EdgeUnderTest, given: str | None
) -> None:
    mine = {} if given is None else {"x-request-id": given.encode()}
    answer = await edge.call(RECORDS, edge.token(TENANT), headers=mine)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert "x-client-request-id" not in answer.json()["headers"]
    assert "x-client-request-id" not in answer.headers
    longest = await edge.call("/v1/egress-addresses", headers={"x-request-id": "x" * 128})
    assert longest.headers["x-client-request-id"] == "x" * 128


async def test_a_clients_trace_is_something_to_point_to_and_never_ours(
    edge: EdgeUnderTest,
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    theirs = {"traceparent": trace, "tracestate": "a=1", "baggage": "user=me"}
    lie = {"x-gw-client-trace": "forged"}
    answer = await edge.call(RECORDS, edge.token(TENANT), headers=theirs | lie)
    seen = answer.json()["headers"]
    assert seen["x-gw-client-trace"] == trace
    assert not seen.keys() & theirs.keys()
    answer = await edge.call(RECORDS, edge.token(TENANT), headers=lie)
    assert "x-gw-client-trace" not in answer.json()["headers"]
