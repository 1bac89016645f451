"""A service answers nobody before what it needs at start has been proved."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from kit.http.errors import render
from kit.problems import DependencyDown

_ALWAYS = ("/livez", "/readyz", "/problems/")


class Gate:
    """Answers 503 while `why_closed` gives a sentence; health and problem pages are always open."""

    def __init__(self, app: ASGIApp, *, why_closed: Callable[[], str | None]) -> None:
        self._app, self._why_closed = app, why_closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = self._why_closed() if scope["type"] == "http" else None
        if why is None or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
        else:
            await render(DependencyDown(f"not started: {why}"))(scope, receive, send)
