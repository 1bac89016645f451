"""HTTPS listeners for an ASGI application; each connection can be cut from inside, on purpose."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_connections: dict[Any, asyncio.Transport] = {}


@asynccontextmanager
async def listen(
    app: ASGIApp, context: ssl.SSLContext, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serves until the block ends; gives the port."""
    listener = socket.create_server((host, port))
    # asyncio does this only for sockets it made itself; without it a reply in two writes waits
    # for the client's delayed acknowledgement, 40 ms each time
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_context_factory=lambda _config, _default: context,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()


def close_connection(scope: Scope, *, abort: bool) -> None:
    """Ends the connection a request came over: at once, or after what is already written."""
    transport = _connections[scope["server"], scope["client"]]
    transport.abort() if abort else transport.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process that uses the listener."""
        yield


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself declares it
        super().connection_made(transport)
        _connections[self.server, self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _connections.pop((self.server, self.client), None)
        super().connection_lost(exc)
