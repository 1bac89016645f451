"""HEAD wherever GET is, and a 405 that names every method of its path (RFC 9110 9.3.2, 15.5.6)."""

import re
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Methods:
    """Answers HEAD like GET without the body; completes Allow, which knows one route only."""

    def __init__(self, app: ASGIApp, *, of: FastAPI) -> None:
        self._app, self._of = app, of
        self._table: list[tuple[re.Pattern[str], frozenset[str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                MutableHeaders(scope=message)["allow"] = ", ".join(self._allowed(scope["path"]))
            elif message["type"] == "http.response.body" and is_head:
                message = {**message, "body": b""}
            await send(message)

        if not is_head:
            await self._app(scope, receive, answer)
            return
        inner = {**scope, "method": "GET"}  # the server's own must still say HEAD
        try:
            await self._app(inner, receive, answer)
        finally:
            scope["route"] = inner.get("route")

    def _allowed(self, path: str) -> list[str]:
        if not self._table:
            self._table = list(_table(self._of))
        found = {name for path_is, names in self._table if path_is.match(path) for name in names}
        return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _table(app: FastAPI) -> Iterator[tuple[re.Pattern[str], frozenset[str]]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            yield compile_path(context.path or "")[0], frozenset(route.methods or ())
