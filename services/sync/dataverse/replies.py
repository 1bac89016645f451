"""The reader of $batch replies: tolerant of line ends and missing parts, never of a wrong count."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_BOUNDARY = re.compile(r'boundary="?([^";\s]{1,200})"?', re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")


class ReplyUnreadable(Exception):
    """The reply is not what a $batch answers: the outcome of its rows is unknown."""


@dataclass(frozen=True)
class Part:
    """The answer to one request of the batch; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def parts(content_type: str, body: bytes, expected: int) -> list[Part]:
    """The answers in request order; fewer than `expected` means that the rest was not run."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/mixed") or found is None:
        raise ReplyUnreadable("the reply is not multipart")
    pieces = list(_pieces(body, found[1].encode()))
    if len(pieces) > expected:
        raise ReplyUnreadable("the reply has more parts than the request")
    return [_part(piece) for piece in pieces]


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    start: int | None = None
    position = 0
    while (mark := delimiter.search(body, position)) is not None:
        if start is not None:
            yield body[start : mark.start()]
        start = mark.end()
        # The line end that closes one delimiter may open the next one.
        position = max(mark.end() - 2, mark.start() + 1)
        if mark[1]:
            return
    raise ReplyUnreadable("the reply ends before its last part")


def _part(piece: bytes) -> Part:
    _, answer = _head(piece)
    status, _, rest = answer.lstrip(b"\r\n").partition(b"\n")
    found = _STATUS.fullmatch(status.rstrip(b"\r"))
    if found is None:
        raise ReplyUnreadable("a part has no status line")
    headers, content = _head(rest)
    return Part(int(found[1]), headers, content.strip(b"\r\n"))


def _head(data: bytes) -> tuple[dict[str, str], bytes]:
    """Header lines up to the first empty line, and what follows it."""
    headers: dict[str, str] = {}
    while data:
        line, _, data = data.partition(b"\n")
        text = line.rstrip(b"\r")
        if not text:
            break
        name, colon, value = text.decode("latin-1").partition(":")
        if not colon:
            raise ReplyUnreadable("a part has a malformed header")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers, data
