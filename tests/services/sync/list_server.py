"""Where a test's authority publishes its lists: plain http, with answers of the test's choice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class ListServer:
    """`answers` by path, 404 where there is none; after `drips` bytes an answer only drips."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    drips: dict[str, int] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, address: str, der: bytes) -> None:
        self.answers["/" + address.partition("//")[2].partition("/")[2]] = ok(der)

    def paths(self) -> list[str]:
        return [request.split(b" ")[1].decode() for request in self.requests]


@contextlib.asynccontextmanager
async def publishing() -> AsyncIterator[ListServer]:
    running = ListServer()
    running.hold.set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = OSError, asyncio.IncompleteReadError, asyncio.CancelledError  # the test is over
        with contextlib.suppress(*ends):
            request = await reader.readuntil(b"\r\n\r\n")
            running.requests.append(request)
            await running.hold.wait()
            path = request.split(b" ")[1].decode()
            answer = running.answers.get(path, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            writer.write(answer[: running.drips.get(path)])
            await writer.drain()
            while path in running.drips and not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running
