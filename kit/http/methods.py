"""HEAD wherever GET is, and a 405 that names every method of its path (RFC 9110 9.3.2, 15.5.6)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.http.errors import render
from kit.problems import MethodNotAllowed


@dataclass(frozen=True)
class _Described:
    """One route: which paths are its, by how many places that any text may take."""

    path: str
    pattern: re.Pattern[str]
    places: int
    methods: frozenset[str]


class Methods:
    """Answers HEAD like GET without the body; a path has the methods of those routes that describe
    it most closely: `/records/bulk` is no `/records/{record}`."""

    def __init__(self, app: ASGIApp, *, of: FastAPI) -> None:
        self._app, self._of = app, of
        self._table: list[_Described] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        closest = self._closest(scope["path"])
        is_head, allowed = scope["method"] == "HEAD", _methods(closest)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                MutableHeaders(scope=message)["allow"] = ", ".join(allowed)
            elif message["type"] == "http.response.body" and is_head:
                message = {**message, "body": b""}
            await send(message)

        if allowed and scope["method"] not in allowed:
            scope["route"] = closest[0]  # whose template logs, metrics and spans name
            await render(MethodNotAllowed())(scope, receive, answer)
            return
        if not is_head:
            await self._app(scope, receive, answer)
            return
        inner = {**scope, "method": "GET"}  # the server's own must still say HEAD
        try:
            await self._app(inner, receive, answer)
        finally:
            scope["route"] = inner.get("route")

    def _closest(self, path: str) -> list[_Described]:
        """Nothing where no route of the document has the path."""
        if not self._table:
            self._table = _table(self._of)
        found = [one for one in self._table if one.pattern.match(path)]
        fewest = min((one.places for one in found), default=0)
        return [one for one in found if one.places == fewest]


def _methods(routes: Sequence[_Described]) -> list[str]:
    methods = {name for one in routes for name in one.methods}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _table(app: FastAPI) -> list[_Described]:
    found = list[_Described]()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            path = context.path or ""
            pattern, _, places = compile_path(path)
            methods = frozenset(route.methods or ())
            found.append(_Described(path, pattern, len(places), methods))
    return found
