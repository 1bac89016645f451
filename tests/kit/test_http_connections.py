"""Connections have bounds: idle ones make room, slow readers and huge headers are cut."""

import asyncio
import contextlib
import socket

import httpx2

from ops.api import until
from tests.kit.serving_process import BOUNDS
from tests.kit.test_http_serving import WHOLE, Served, connect, process, served

__all__ = ["connect", "process", "served"]


async def kept_alive(connect):
    """A connection that has had its answer and may ask again."""
    reader, writer = await connect()
    await ask_again(reader, writer)
    return reader, writer


async def ask_again(reader, writer) -> None:
    writer.write(WHOLE)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert b"200" in head.splitlines()[0]
    await reader.readexactly(len(b'{"status":"alive"}'))


async def get(served: Served, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.get(served.url + path)


async def test_more_idle_connections_than_the_most_cost_the_oldest_not_the_newcomer(
    served, connect
):
    first, second, *_, last = [await kept_alive(connect) for _ in range(BOUNDS.most + 1)]
    assert await asyncio.wait_for(first[0].read(), 10) == b""
    assert (await get(served, "/livez")).status_code == 200
    assert await asyncio.wait_for(second[0].read(), 10) == b""
    await ask_again(*last)


async def test_a_connection_that_was_used_again_is_not_the_oldest(connect):
    used, unused = await kept_alive(connect), await kept_alive(connect)
    await ask_again(*used)
    others = [await kept_alive(connect) for _ in range(BOUNDS.most - 1)]
    assert await asyncio.wait_for(unused[0].read(), 10) == b""
    await ask_again(*used)
    assert len(others) == BOUNDS.most - 1


async def test_where_all_are_busy_the_newcomer_is_turned_away_and_nobody_else(connect):
    pairs = [await connect() for _ in range(BOUNDS.most)]
    for _, writer in pairs:
        writer.write(WHOLE.replace(b"/livez", b"/slow"))
        await writer.drain()
    answers = [asyncio.create_task(reader.readline()) for reader, _ in pairs]
    refused = False
    while not refused and not any(one.done() for one in answers):
        reader, _writer = await connect()
        try:
            refused = await asyncio.wait_for(reader.read(), 10) == b""
        except ConnectionError:
            refused = True
    assert refused
    assert {line.split()[1] for line in await asyncio.gather(*answers)} == {b"200"}


async def test_who_does_not_read_the_answer_is_cut_off(served):
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", served.port))
        deaf.sendall(WHOLE.replace(b"/livez", b"/endless"))

        async def is_cut_off() -> bool:
            return bool((await get(served, "/under-way")).json()["cut_off"] == 1)

        await until("the answer was given up", is_cut_off, deadline_s=20)


async def test_headers_have_a_size(connect):
    """Much larger than what is read at once: the request would be whole otherwise."""
    reader, writer = await connect()
    writer.write(WHOLE.removesuffix(b"\r\n") + b"X-Large: " + b"x" * (1 << 20) + b"\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_body_may_be_larger_than_headers_which_are_counted_anew(connect):
    reader, writer = await connect()
    body = b"x" * (BOUNDS.header_bytes * 2)
    head = f"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for _ in range(2):
        writer.write(head + body)
        answer = await asyncio.wait_for(reader.readuntil(b"}"), 10)
        assert str(len(body)).encode() in answer.splitlines()[-1]
