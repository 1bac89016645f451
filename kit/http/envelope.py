"""Around every request: request id, trace, security headers, metrics, one access log line."""

import re
import time
from uuid import UUID

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import logs
from kit.http.draining import Draining
from kit.http.errors import render
from kit.http.parts import parts_of
from kit.http.security_headers import SECURITY_HEADERS
from kit.problems import Internal
from kit.uuid7 import uuid7

_REQUESTS = Counter("http_requests_total", "Requests", ["service", "method", "route", "status"])
_SECONDS = Histogram("http_request_seconds", "Time to answer", ["service", "route"])
_REQUEST_ID = re.compile(r"^[0-9a-f-]{36}$")
_CLIENT_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_HEADERS = {"cache-control": "no-store", **SECURITY_HEADERS}
_QUIET = {"/livez", "/readyz"}
_log = logs.get(__name__)


class Envelope:
    """The outermost layer: what is here holds for refusals and errors too."""

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        ids = {"request_id": _request_id(headers.get("x-request-id", ""))}
        if client_id := _client_request_id(headers):
            ids["client_request_id"] = client_id
        begun, status = time.perf_counter(), 0

        async def dress(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in ids.items():
                    out[f"x-{name.replace('_', '-')}"] = value
                for name, value in _HEADERS.items():
                    out.setdefault(name, value)
                if parts_of(scope["app"], Draining).is_set():
                    out["connection"] = "close"  # the next request goes to who stays
            await send(message)

        with logs.bind_trace(headers.get("traceparent")):
            try:
                await self._app(scope, receive, dress)
            except Exception as error:
                _log.error("unforeseen error", exc_info=error, **ids)
                if not status:
                    await render(Internal())(scope, receive, dress)
            finally:
                self._record(scope, ids, status, time.perf_counter() - begun)

    def _record(self, scope: Scope, ids: dict[str, str], status: int, seconds: float) -> None:
        """Count and log under the route's template: a path may name what it should not."""
        route = getattr(scope.get("route"), "path", "unmatched")
        _REQUESTS.labels(self._service, scope["method"], route, status).inc()
        _SECONDS.labels(self._service, route).observe(seconds)
        if route not in _QUIET:
            _log.info(
                "request",
                **ids,
                method=scope["method"],
                path=route,
                status=status,
                duration_ms=round(seconds * 1000, 1),
            )


def _client_request_id(headers: Headers) -> str:
    """The caller's own name of the request, kept beside ours; empty where it is none."""
    offered = headers.get("x-client-request-id", "")
    return offered if _CLIENT_REQUEST_ID.fullmatch(offered) else ""


def _request_id(offered: str) -> str:
    if _REQUEST_ID.match(offered):
        try:
            return str(UUID(offered))
        except ValueError:
            pass
    return str(uuid7())
