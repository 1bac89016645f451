"""Body rules before any route sees a byte: size, time, and strict JSON."""

import asyncio
import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import problems, strict_json
from kit.http.errors import render

_DEFAULT_LIMIT = 1024 * 1024


class BodyRules:
    """Reads the whole body (bounded in bytes and seconds) and refuses what is not strict JSON."""

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
            body = await self._read(Headers(scope=scope), self._limit(scope["path"]), receive)
        except problems.Problem as problem:
            await render(problem)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    def _limit(self, path: str) -> int:
        return next((n for pattern, n in self._limits if pattern.search(path)), _DEFAULT_LIMIT)

    async def _read(self, headers: Headers, limit: int, receive: Receive) -> bytes | None:
        is_json = _is_json(headers.get("content-type", ""))
        if is_json:  # parsed here and now: a larger one would hold up everybody
            limit = min(limit, _DEFAULT_LIMIT)
        if headers.get("content-length", "0").isdecimal():
            _check_size(int(headers.get("content-length", "0")), limit)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise problems.MediaTypeUnsupported("send the body without a content encoding")
        try:
            body = await asyncio.wait_for(_collect(receive, limit), self._timeout_s)
        except TimeoutError:
            raise problems.RequestTimedOut from None
        if body and is_json:
            _check_json(body)
        return body


async def _collect(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None where the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        _check_size(len(body), limit)
        if not message.get("more_body", False):
            return bytes(body)


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
