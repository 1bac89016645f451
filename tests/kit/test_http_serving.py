"""A served app cuts slow senders, has metrics on a port of their own, and drains before it ends."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from ops.api import until

ROOT = Path(__file__).parents[2]
WHOLE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, text: bytes) -> bytes:
        """Send `text`, then wait until the server ends the connection; what it answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    async def readiness(self) -> int:
        async with httpx2.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"{self.url}/readyz")).status_code
            except httpx2.TransportError:
                return 0


@pytest.fixture
def process(free_port: Callable[[], int]) -> Iterator[Served]:
    ports = free_port(), free_port()
    command = [sys.executable, "-m", "tests.kit.serving_process", *map(str, ports)]
    running = subprocess.Popen(command, cwd=ROOT)
    yield Served(running, *ports)
    running.kill()
    running.wait()


@pytest.fixture
async def served(process: Served) -> Served:
    async def ready() -> bool:
        return await process.readiness() == 200

    await until("the server is ready", ready)
    return process


@pytest.fixture
async def connect(served: Served):
    """`await connect()` opens a connection that is closed after the test."""
    opened: list[asyncio.StreamWriter] = []

    async def open_one():
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        opened.append(writer)
        return reader, writer

    yield open_one
    for writer in opened:
        writer.transport.abort()


@pytest.mark.parametrize(
    "text",
    [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\r\n"],
    ids=["silent", "cut request line", "cut header", "empty line"],
)
async def test_headers_that_do_not_come_end_the_connection(served, text):
    answer = await served.talk(text)
    assert answer == b"" or b" 400 " in answer.splitlines()[0]


async def test_headers_that_stop_on_a_kept_connection_end_it_too(served):
    answer = await served.talk(WHOLE + b"GET /livez HTTP/1.1\r\nHost:")
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_body_that_does_not_come_is_a_408(served):
    answer = await served.talk(
        b"POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc"
    )
    assert b" 408 " in answer.splitlines()[0]
    assert b"/problems/request-timed-out" in answer


async def test_an_answer_may_take_longer_than_headers(served):
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{served.url}/slow")).json() == {"done": True}


async def test_metrics_have_a_port_of_their_own_and_name_routes_not_paths(served):
    async with httpx2.AsyncClient(trust_env=False) as client:
        await client.get(f"{served.url}/problems/not-found")
        assert (await client.get(f"{served.url}/metrics")).status_code == 404
        text = (await client.get(f"http://127.0.0.1:{served.metrics_port}/metrics")).text
    assert 'route="/problems/{slug}"' in text
    assert "not-found" not in text


async def test_on_sigterm_readiness_goes_red_first_and_requests_end(served):
    async with httpx2.AsyncClient(trust_env=False) as client:
        under_way = asyncio.create_task(client.get(f"{served.url}/slow"))

        async def has_begun() -> bool:
            answer = await client.get(f"{served.url}/under-way")
            return bool(answer.json()["requests"])

        async def is_red() -> bool:
            return bool(await served.readiness() == 503)

        await until("the request is under way", has_begun)
        served.process.send_signal(signal.SIGTERM)
        await until("readiness is red while it still answers", is_red, deadline_s=5)
        assert (await under_way).json() == {"done": True}
    # it ends by the signal that it was sent, after all of that
    assert await asyncio.to_thread(served.process.wait, 10) == -signal.SIGTERM


async def test_while_it_drains_each_answer_ends_its_connection(served, connect):
    reader, writer = await connect()
    writer.write(WHOLE)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"connection: close" not in head.lower()
    served.process.send_signal(signal.SIGTERM)

    async def is_red() -> bool:
        return bool(await served.readiness() == 503)

    await until("it drains", is_red, deadline_s=5)
    writer.write(WHOLE)
    rest = await asyncio.wait_for(reader.read(), 10)
    assert b"HTTP/1.1 200" in rest
    assert b"connection: close" in rest.lower()


async def test_a_full_collection_leaves_out_what_stands_since_the_start(served: Served) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        found = (await client.get(f"{served.url}/looked-through")).json()
    assert found["kept"] > 10 * found["objects"]
