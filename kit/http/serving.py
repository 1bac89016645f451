"""uvicorn as every program runs it: bounded connections, and a drain that is announced first."""

import asyncio
import gc
import resource
import signal
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI
from prometheus_client import start_http_server

from kit.http.connections import BoundedProtocol, Connections
from kit.http.draining import Draining
from kit.http.parts import parts_of

_FILES = 16 * 1024


class _DrainingServer(uvicorn.Server):
    """On SIGTERM: readiness off, wait until the load balancer has seen it, then drain."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_s: float) -> None:
        super().__init__(config)
        self._fastapi, self._drain_s = app, drain_s

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        _keep_what_stands()

    def handle_exit(self, sig: int, frame: Any) -> None:
        draining = parts_of(self._fastapi, Draining)
        if sig == signal.SIGTERM and self._drain_s and not draining.is_set():
            draining.set()
            asyncio.get_event_loop().call_later(self._drain_s, super().handle_exit, sig, frame)
            return
        super().handle_exit(sig, frame)


class Listening(Protocol):
    """Where and how an app is served; every program's settings are one."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def metrics_port(self) -> int | None: ...

    @property
    def drain_s(self) -> float: ...


def serve(app: FastAPI, place: Listening, *, connections: Connections | None = None) -> None:
    """Run `app` until SIGTERM or SIGINT; /metrics is served on its own port.

    After SIGTERM /readyz is red for `place.drain_s` while requests still come in, and each answer
    ends its connection; then no new ones are taken and those under way end.
    """
    if place.metrics_port is not None:
        start_http_server(place.metrics_port, addr=place.host)
    _allow_files()
    bounds = connections or Connections()
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        http=type("Protocol", (BoundedProtocol,), {"bounds": bounds}),
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=None,  # it counts idle connections too; kit.http.running has the limit
        timeout_keep_alive=30,
        timeout_graceful_shutdown=20,
    )
    _DrainingServer(config, app, place.drain_s).run()


def _keep_what_stands() -> None:
    """A full collection looks at every object there is: 50 ms with what a program has when it has
    started, and meanwhile nobody is answered. What is there now lasts as long as the process."""
    gc.collect()
    gc.freeze()


def _allow_files() -> None:
    """A connection is an open file; the usual soft limit of 1,024 would be met first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
