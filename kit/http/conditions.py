"""Conditional requests (RFC 9110 13): If-Match guards changes, If-None-Match saves a body."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.problems import PreconditionFailed, PreconditionMissing

_ITEM = re.compile(r'[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")?[ \t]*(?:,|$)')
_NOT_IN_304 = ("content-length", "content-type", "content-encoding", "content-language")


class TagsMalformed(ValueError):
    """A header that is no list of entity tags."""


class Versions:
    """The versions that a change may be based on; `None`: whatever is there."""

    def __init__(self, tags: frozenset[str] | None) -> None:
        self._tags = tags

    def hold(self, etag: str) -> bool:
        """Strong comparison: a weak tag guards nothing, so it never matches."""
        return self._tags is None or (not etag.startswith("W/") and etag in self._tags)


def parse_tags(lines: Sequence[str]) -> frozenset[str] | None:
    """The tags of all lines of a header, or None for `*`. Raises TagsMalformed."""
    text = ",".join(lines)
    if text.strip() == "*":
        return None
    tags, at = set[str](), 0
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None:
            raise TagsMalformed
        tags |= {item[1]} if item[1] else set()
        at = item.end()
    if not tags:
        raise TagsMalformed
    return frozenset(tags)


async def _required(
    if_match: Annotated[
        list[str] | None, Header(description="the entity tag of your last read; required")
    ] = None,
) -> Versions:
    if not if_match:
        raise PreconditionMissing('send If-Match with your last ETag, like "5eed00d5-3"')
    try:
        return Versions(parse_tags(if_match))
    except TagsMalformed:
        raise PreconditionFailed(
            'If-Match takes entity tags in quotes, like "5eed00d5-3", or *'
        ) from None


IfMatch = Annotated[Versions, Depends(_required)]


class NotModified:
    """Turns the answer to a read into a 304 where the caller has this very version."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines = _if_none_match(scope)
        if not lines:
            await self._app(scope, receive, send)
            return
        is_known = False

        async def answer(message: Message) -> None:
            nonlocal is_known
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                is_known = _has(lines, headers.get("etag"))
                if is_known:
                    message["status"] = 304
                    for name in _NOT_IN_304:
                        del headers[name]
            elif message["type"] == "http.response.body" and is_known:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, answer)


def _if_none_match(scope: Scope) -> list[str]:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return []
    return Headers(scope=scope).getlist("if-none-match")


def _has(lines: Sequence[str], etag: str | None) -> bool:
    """Weak comparison; a header that says nothing sensible is as good as none."""
    if etag is None:
        return False
    try:
        tags = parse_tags(lines)
    except TagsMalformed:
        return False
    return tags is None or etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
