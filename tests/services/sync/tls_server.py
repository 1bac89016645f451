"""A TLS server that answers every request with given bytes; for what no decent CRM would send."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_GREETING = b"\x16"  # a TLS record of the type "handshake"


@dataclass
class TlsServer:
    """With `keeps` a connection takes one request after the other."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    keeps: bool = False
    connections: int = 0


@contextlib.asynccontextmanager
async def serving(answer: bytes, context: ssl.SSLContext | None) -> AsyncIterator[TlsServer]:
    """Without a context it speaks plain HTTP, and answers a greeting in TLS as a bad request."""
    running = TlsServer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                begun = await reader.readexactly(1)
                if begun != _GREETING:
                    running.requests.append(begun + await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                await writer.drain()
                if not running.keeps:
                    break
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running
