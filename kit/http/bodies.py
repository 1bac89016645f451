"""Body rules before any route sees a byte: size, time, and strict JSON.

A body is at most 64 KiB, unless its route is named with another limit. Up to 1 MiB it is read
here. A route with a larger one (an upload) reads it itself, when it has checked who asks and has
room: its body is counted and timed as it arrives.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import problems, strict_json
from kit.http.errors import render

DEFAULT_LIMIT = 64 * 1024
LARGEST_READ_HERE = 1024 * 1024


class BodyRules:
    """Bounds bodies in bytes and seconds, and refuses what is not strict JSON."""

    def __init__(self, app: ASGIApp, *, limits: Mapping[str, int], timeout_s: float) -> None:
        self._app, self._timeout_s = app, timeout_s
        self._limits = [(re.compile(pattern), limit) for pattern, limit in limits.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\x00" in scope["path"]:
            await render(problems.NotFound())(scope, receive, send)
            return
        try:
            limit, is_json = self._check_headers(scope)
            body = None if limit > LARGEST_READ_HERE else await self._read(receive, limit)
            if body and is_json:
                _check_json(body)
        except problems.Problem as problem:
            await render(problem)(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._hand_on(scope, receive, send, limit, body)

    def _check_headers(self, scope: Scope) -> tuple[int, bool]:
        """The limit for this body, and whether it has to be JSON."""
        headers, limit = Headers(scope=scope), self._limit(scope["path"])
        is_json = _is_json(headers.get("content-type", ""))
        if is_json:  # parsed here and now: a larger one would hold up everybody
            limit = min(limit, LARGEST_READ_HERE)
        length = headers.get("content-length", "0")
        if length.isdecimal():
            _check_size(int(length[:18]), limit)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise problems.MediaTypeUnsupported("send the body without a content encoding")
        return limit, is_json

    def _limit(self, path: str) -> int:
        return next((n for pattern, n in self._limits if pattern.search(path)), DEFAULT_LIMIT)

    async def _read(self, receive: Receive, limit: int) -> bytes:
        body, more = bytearray(), True
        counted = _counted(receive, limit, self._timeout_s)
        while more:
            message = await counted()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)

    async def _hand_on(
        self, scope: Scope, receive: Receive, send: Send, limit: int, body: bytes | None
    ) -> None:
        if body is not None:
            await self._app(scope, _replay(body, receive), send)
            return
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, _counted(receive, limit, self._timeout_s), send)


def _counted(receive: Receive, limit: int, timeout_s: float) -> Receive:
    """`receive` that gives up when the body is too large or, from the first look on, too slow."""
    size, until, has_ended = 0, 0.0, False

    async def next_part() -> Message:
        nonlocal size, until, has_ended
        if has_ended:
            return await receive()
        until = until or asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise problems.RequestTimedOut from None
        size += len(message.get("body", b""))
        has_ended = not message.get("more_body", False)
        _check_size(size, limit)
        return message

    return next_part


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise problems.BodyTooLarge(f"this route takes at most {limit} bytes")


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _check_json(body: bytes) -> None:
    try:
        strict_json.loads(body)
    except strict_json.StrictJsonError as error:
        raise problems.BodyMalformed(str(error)) from None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
