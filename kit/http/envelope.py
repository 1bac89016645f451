"""Around every request: request id, trace, security headers, metrics, one access log line."""

import re
import time
from contextlib import AbstractContextManager
from uuid import UUID

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import logs, telemetry
from kit.http.draining import Draining
from kit.http.errors import render
from kit.http.parts import parts_of
from kit.http.security_headers import SECURITY_HEADERS
from kit.problems import Internal
from kit.uuid7 import uuid7

_REQUESTS = Counter("http_requests_total", "Requests", ["service", "method", "route", "status"])
_SECONDS = Histogram("http_request_seconds", "Time to answer", ["service", "route"])
_ID = re.compile(r"^[0-9a-f-]{36}$")
_CLIENT_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_HEADERS = {"cache-control": "no-store", **SECURITY_HEADERS}
_QUIET = {"/livez", "/readyz"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_CLIENT_TRACE = "x-gw-client-trace"  # what a client of the edge says; it may only be pointed to
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

        with _traced(scope, headers) as span:
            try:
                await self._app(scope, receive, dress)
            except Exception as error:
                _log.error("unforeseen error", exc_info=error, **ids)
                if not status:
                    await render(Internal())(scope, receive, dress)
            finally:
                self._record(scope, ids, status, time.perf_counter() - begun)
                _tell(span, scope, ids["request_id"], status)

    def _record(self, scope: Scope, ids: dict[str, str], status: int, seconds: float) -> None:
        """Count and log under the route's template: a path may name what it should not."""
        route = _route(scope)
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


def _traced(scope: Scope, headers: Headers) -> AbstractContextManager[telemetry.Span]:
    """The caller's trace where a service calls; a new one for whoever comes through the edge."""
    parent = headers.get("traceparent")
    if scope["path"] in _QUIET:
        return telemetry.quiet_trace(parent)
    link = headers.get(_CLIENT_TRACE, "")
    return telemetry.trace(_method(scope), "server", parent=parent, link=link)


def _tell(span: telemetry.Span, scope: Scope, request_id: str, status: int) -> None:
    """The route's template and ids: what else stands in a path or a query is a client's."""
    if not span.is_recorded:
        return
    method, route = _method(scope), _route(scope)
    span.rename(f"{method} {route}")
    span.note(method=method, route=route, status=status, request_id=request_id)
    if tenant := _as_id(scope.get("path_params", {}).get("tenant", "")):
        span.note(tenant=tenant)
    if status >= 500:
        span.fail(str(status))


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _client_request_id(headers: Headers) -> str:
    """The caller's own name of the request, kept beside ours; empty where it is none."""
    offered = headers.get("x-client-request-id", "")
    return offered if _CLIENT_REQUEST_ID.fullmatch(offered) else ""


def _request_id(offered: str) -> str:
    return _as_id(offered) or str(uuid7())


def _as_id(offered: str) -> str:
    """A client's text as an id; empty where it is none."""
    if _ID.match(offered):
        try:
            return str(UUID(offered))
        except ValueError:
            pass
    return ""
