"""Slow clients hold nothing but what is theirs: no connection of a service, and not for long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from contracts.body_sizes import MOST_IDS
from tests.eventually import eventually
from tests.gateway.edge_parts import (
    OTHER,
    RECORDS,
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
    assert_problem,
)

LOGIN = f"/t/{TENANT}/v1/login"
SLOW = 300  # more than a service has connections for
HALF = b"content-length: 2000\r\n\r\n{"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def half_sent(edge: EdgeUnderTest, head: str, count: int) -> AsyncIterator[list[Streams]]:
    """Requests of this head that stop after the first byte of their body."""

    async def begin() -> Streams:
        reader, writer = await asyncio.open_connection(
            "localhost", edge.settings.edge_port, ssl=edge.trust
        )
        writer.write(f"POST {head}\r\nhost: localhost\r\n".encode() + HALF)
        await writer.drain()
        return reader, writer

    open_ones = [await begin() for _ in range(count)]
    try:
        yield open_ones
    finally:
        for _, writer in open_ones:
            writer.transport.abort()


async def test_slow_bodies_hold_no_connection_of_a_service(edge: EdgeUnderTest) -> None:
    async with half_sent(edge, f"{LOGIN} HTTP/1.1", SLOW):
        await eventually(lambda: _arriving(edge, SLOW))
        assert await edge.stat("cluster.auth.upstream_rq_active") == 0
        answer = await edge.call(f"/t/{OTHER}/v1/login", method="POST", json={"name": "b"})
        assert answer.status_code == 200
    logins = [one["path"] for one in edge.upstreams.seen if one["path"].endswith("/login")]
    assert logins == [f"/t/{OTHER}/v1/login"]  # uploads of other tests may come late


async def test_slow_lists_of_ids_hold_no_connection_of_a_service_either(
    edge: EdgeUnderTest,
) -> None:
    """Up to 512 KiB, so they are no uploads: 64 of these had kept every upload of others out."""
    token = edge.token(TENANT)
    path = f"{RECORDS}/bulk-delete"
    async with half_sent(edge, f"{path} HTTP/1.1\r\nauthorization: Bearer {token}", SLOW):
        await eventually(lambda: _arriving(edge, SLOW))
        assert await edge.stat("cluster.tenants-uploads.upstream_rq_active") == 0
        assert await edge.stat("cluster.tenants.upstream_rq_active") == 0


@pytest.mark.parametrize(("size", "status"), [(MOST_IDS, 200), (MOST_IDS + 1, 413)])
async def test_a_list_of_ids_is_as_long_as_it_may_be_and_no_longer(
    edge: EdgeUnderTest, size: int, status: int
) -> None:
    answer = await edge.call(
        f"{RECORDS}/bulk-delete", edge.token(TENANT), method="POST", content=b"x" * size
    )
    assert answer.status_code == status


async def _arriving(edge: EdgeUnderTest, count: int) -> bool:
    return await edge.stat("http.edge.downstream_rq_active") >= count


async def _waiting(edge: EdgeUnderTest, count: int) -> bool:
    return await edge.stat("cluster.tenants-uploads.upstream_rq_pending_active") == count


async def test_slow_uploads_take_no_connection_of_other_requests(edge: EdgeUnderTest) -> None:
    token = edge.token(TENANT)
    async with half_sent(edge, f"{RECORDS}/bulk HTTP/1.1\r\nauthorization: Bearer {token}", 100):
        await eventually(lambda: _waiting(edge, 36), 10)
        assert await edge.stat("cluster.tenants-uploads.upstream_rq_active") == 64
        assert await edge.stat("cluster.tenants.upstream_rq_active") == 0
        assert (await edge.call(RECORDS, token)).status_code == 200


async def test_what_arrives_too_slowly_is_cut_whole_or_trickling(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    """A header that never ends, a body that stops, a body that trickles, and a slow upload."""
    times = {
        '"max_stream_duration": "10s"': '"max_stream_duration": "1s"',
        '"request_headers_timeout": "10s"': '"request_headers_timeout": "1s"',
        '"request_timeout": "30s"': '"request_timeout": "2s"',
    }
    async with start_edge(make_settings(), shorter=times) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        line = f"POST {LOGIN} HTTP/1.1\r\nhost: localhost\r\n".encode()
        upload = f"POST {RECORDS}/bulk HTTP/1.1\r\nauthorization: Bearer {edge.token(TENANT)}\r\n"
        answers = await asyncio.gather(
            edge.raw(line),
            edge.raw(line + HALF),
            _trickling(edge, line + HALF),
            edge.raw(f"{upload}host: localhost\r\n".encode() + HALF),
        )
        for answer in answers:
            assert answer.startswith("HTTP/1.1 408 ")
            assert '"type":"/problems/request-timed-out"' in answer


async def _trickling(edge: EdgeUnderTest, begun: bytes) -> str:
    reader, writer = await asyncio.open_connection(
        "localhost", edge.settings.edge_port, ssl=edge.trust
    )
    writer.write(begun)
    answer = asyncio.create_task(reader.read())
    with contextlib.suppress(ConnectionError):
        while not answer.done():
            writer.write(b" ")
            await asyncio.wait([answer], timeout=0.1)
    writer.transport.abort()
    return (await answer).decode()


async def test_what_is_whole_has_its_own_time_to_be_answered(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    """The time to arrive is not the time to answer."""
    times = {'"max_stream_duration": "10s"': '"max_stream_duration": "0.3s"'}
    async with start_edge(make_settings(), shorter=times) as edge:
        answer = await edge.call("/v1/egress-addresses?slow", method="POST", content=b"{}")
        assert answer.status_code == 200


async def test_a_client_that_does_not_read_holds_a_service_for_the_time_of_an_answer(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    times = {'"timeout": "30s"': '"timeout": "1s"'}
    async with start_edge(make_settings(), shorter=times) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        _, writer = await asyncio.open_connection(
            "localhost", edge.settings.edge_port, ssl=edge.trust, limit=1024
        )
        path = f"{RECORDS}?bytes=60000000"
        head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"{head}{edge.token(TENANT)}\r\n\r\n".encode())

        async def active(count: int) -> bool:
            return await edge.stat("cluster.tenants.upstream_rq_active") == count

        await eventually(lambda: active(1))
        await eventually(lambda: active(0))
        writer.transport.abort()


async def test_a_client_cannot_choose_how_long_the_edge_waits(edge: EdgeUnderTest) -> None:
    short = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx"}
    answer = await edge.call("/v1/egress-addresses?slow", headers=short)
    assert answer.status_code == 200
    assert not [name for name in answer.json()["headers"] if name.startswith("x-envoy-retry")]


async def test_an_upload_that_finds_every_connection_taken_is_told_so(edge: EdgeUnderTest) -> None:
    head = f"{RECORDS}/bulk HTTP/1.1\r\nauthorization: Bearer {edge.token(TENANT)}"
    async with half_sent(edge, head, 130):
        await eventually(lambda: _waiting(edge, 64), 10)
        path = f"/t/{OTHER}/v1/records/organisation/bulk"
        answer = await edge.call(path, edge.token(OTHER), method="POST", content=b"{}")
        assert_problem(answer, 503, "/problems/server-busy")
