"""How much one client, one tenant, one request may ask."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.gateway.edge_parts import (
    OTHER,
    RECORDS,
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
    assert_problem,
)

KIB, MIB = 1024, 1024 * 1024


async def refused_upload(edge: EdgeUnderTest, path: str, size: int, chunked: bool) -> bytes:
    """The answer as a client sees it that listens while it sends."""
    reader, writer = await asyncio.open_connection(
        "localhost", edge.settings.edge_port, ssl=edge.trust
    )
    length = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{length}\r\n"
    writer.write(f"{head}authorization: Bearer {edge.token(TENANT)}\r\n\r\n".encode())
    answer = asyncio.create_task(reader.readuntil(b"}"))
    piece = b"400\r\n" + b"x" * KIB + b"\r\n" if chunked else b"x" * KIB
    with contextlib.suppress(ConnectionError):
        for _ in range(size // KIB):
            if answer.done():
                break
            writer.write(piece)
            await writer.drain()
        writer.write(b"0\r\n\r\n" if chunked else b"")
    received = await asyncio.wait_for(answer, 10)
    writer.transport.abort()
    return received


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_bodies_are_limited_to_64_kib_and_uploads_to_32_mib(
    edge: EdgeUnderTest, chunked: bool
) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // KIB):
            yield b"x" * KIB

    for path, size in (
        (RECORDS, 64 * KIB),
        (f"{RECORDS}/import", 4 * MIB),
        (f"{RECORDS}/bulk", 32 * MIB),
    ):
        content = pieces(size) if chunked else b"x" * size
        answer = await edge.call(path, edge.token(TENANT), method="POST", content=content)
        assert answer.json()["size"] == size
    for path, size in ((RECORDS, 65 * KIB), (f"{RECORDS}/bulk", 33 * MIB)):
        answer_bytes = await refused_upload(edge, path, size, chunked)
        assert answer_bytes.startswith(b"HTTP/1.1 413 ")
        assert b'"type":"/problems/body-too-large"' in answer_bytes


async def test_too_many_header_bytes_are_a_problem(edge: EdgeUnderTest) -> None:
    many = {f"x-h{n}": "y" * 4000 for n in range(10)}
    answer = await edge.call(RECORDS, edge.token(TENANT), headers=many)
    assert_problem(answer, 431, "/problems/headers-too-large")


async def test_each_client_and_each_tenant_has_its_own_limit(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    settings = make_settings(client_requests_per_s=60, tenant_requests_per_s=10)
    async with start_edge(settings) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"], OTHER: ["127.0.0.0/8"]})

        async def burst(path: str, count: int, source: str) -> list[httpx2.Response]:
            async with edge.client(source) as client:
                headers = {"authorization": f"Bearer {edge.token(TENANT)}"}
                return await asyncio.gather(
                    *(client.get(path, headers=headers) for _ in range(count))
                )

        answers = await burst(RECORDS, 40, "127.0.0.3")
        refused = [one for one in answers if one.status_code == 429]
        assert len(refused) >= 10
        assert_problem(refused[0], 429, "/problems/too-many-requests")
        assert refused[0].headers["retry-after"] == "1"
        other = f"/t/{OTHER}/v1/records/person"
        assert (await edge.call(other, edge.token(OTHER), source="127.0.0.3")).status_code == 200
        jwks = await burst("/.well-known/jwks.json", 150, "127.0.0.4")
        assert 429 in {one.status_code for one in jwks}
        answer = await edge.call("/.well-known/jwks.json", source="127.0.0.5")
        assert answer.status_code == 200
