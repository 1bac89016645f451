"""uvicorn with the deadlines that it lacks: slow headers are cut, a drain is announced first."""

import asyncio
import signal
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI
from prometheus_client import start_http_server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection whose request headers are not complete in time (slow loris).

    uvicorn's keep-alive time-out covers a silent connection only after an answer; this one counts
    from the first moment of the connection and from the first byte of each later request.
    """

    header_timeout_s = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_deadline()

    def on_headers_complete(self) -> None:
        self._stop_deadline()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(self.header_timeout_s, self.transport.close)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _DrainingServer(uvicorn.Server):
    """On SIGTERM: readiness off, wait until the load balancer has seen it, then drain."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_s: float) -> None:
        super().__init__(config)
        self._fastapi, self._drain_s = app, drain_s

    def handle_exit(self, sig: int, frame: Any) -> None:
        draining = self._fastapi.state.draining
        if sig == signal.SIGTERM and self._drain_s and not draining.is_set():
            draining.set()
            asyncio.get_event_loop().call_later(self._drain_s, super().handle_exit, sig, frame)
            return
        super().handle_exit(sig, frame)


class Place(Protocol):
    """Where and how an app is served; every program's settings are one."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def metrics_port(self) -> int | None: ...

    @property
    def drain_s(self) -> float: ...


def serve(app: FastAPI, place: Place, *, header_timeout_s: float = 10.0) -> None:
    """Run `app` until SIGTERM or SIGINT; /metrics is served on its own port.

    After SIGTERM /readyz is red for `place.drain_s` while requests still come in; then no new ones
    are taken and those under way end. Headers must be complete within `header_timeout_s`.
    """
    if place.metrics_port is not None:
        start_http_server(place.metrics_port, addr=place.host)
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        http=type("Protocol", (DeadlineProtocol,), {"header_timeout_s": header_timeout_s}),
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=1000,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=64 * 1024,
    )
    _DrainingServer(config, app, place.drain_s).run()
