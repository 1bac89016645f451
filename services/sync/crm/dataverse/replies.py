"""The reader of $batch replies: tolerant of line ends and missing parts, never of a wrong count."""

import re
from dataclasses import dataclass, field

_BOUNDARY = re.compile(r'boundary="?([^";\s]{1,200})"?', re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9]\d{2})(?: [^\r\n]*)?")
_HEAD_BYTES = 8 * 1024


class ReplyUnreadable(Exception):
    """The reply is not what a $batch answers: the outcome of its rows is unknown."""


@dataclass(frozen=True)
class ReplyPart:
    """The answer to one request of the batch; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def parts(content_type: str, body: bytes, expected: int) -> list[ReplyPart]:
    """The answers in request order; fewer than `expected` means that the rest was not run."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/mixed") or found is None:
        raise ReplyUnreadable("the reply is not multipart")
    return [_part(piece) for piece in _pieces(body, found[1].encode(), expected)]


def _pieces(body: bytes, boundary: bytes, expected: int) -> list[bytes]:
    """What lies between the delimiters; nothing is read after one part too many."""
    # The line end that closes one delimiter may open the next one: it is seen, not taken.
    delimiter = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]*\r?(?=\n|\Z)")
    text, found, start = b"\n" + body, list[bytes](), None
    for mark in delimiter.finditer(text):
        if start is not None:
            found.append(text[start : mark.start()].removeprefix(b"\n"))
        if mark[1]:
            return found
        if len(found) == expected:
            raise ReplyUnreadable("the reply has more parts than the request")
        start = mark.end()
    raise ReplyUnreadable("the reply ends before its last part")


def _part(piece: bytes) -> ReplyPart:
    _, answer = _head(piece)
    status, _, rest = answer.lstrip(b"\r\n").partition(b"\n")
    found = _STATUS.fullmatch(status.rstrip(b"\r"))
    if found is None:
        raise ReplyUnreadable("a part has no status line")
    headers, content = _head(rest)
    return ReplyPart(int(found[1]), headers, content.strip(b"\r\n"))


def _head(data: bytes) -> tuple[dict[str, str], bytes]:
    """Header lines up to the first empty line, and what follows it."""
    headers: dict[str, str] = {}
    lines, length = data[:_HEAD_BYTES].split(b"\n"), 0
    for line in lines if len(data) <= _HEAD_BYTES else lines[:-1]:
        length += len(line) + 1
        text = line.rstrip(b"\r")
        if not text:
            return headers, data[length:]
        name, colon, value = text.decode("latin-1").partition(":")
        if not colon:
            raise ReplyUnreadable("a part has a malformed header")
        headers.setdefault(name.strip().lower(), value.strip())
    if len(data) > _HEAD_BYTES:
        raise ReplyUnreadable("a part has a head that is too long")
    return headers, b""
