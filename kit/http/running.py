"""How many requests run at once: the others wait for a moment, then are asked to come back."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from kit.http.errors import render
from kit.problems import ServerBusy

_ALWAYS = frozenset({"/livez", "/readyz"})


class RunningRequests:
    """A bound on requests, not on connections, which cost little; it counts whole requests only
    (their bodies have arrived), so that slow senders hold no place."""

    def __init__(self, app: ASGIApp, *, most: int, wait_s: float) -> None:
        self._app, self._wait_s = app, wait_s
        self._places = asyncio.Semaphore(most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            await render(ServerBusy())(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._places.release()
