"""Reads and writes the multipart/mixed text of `$batch`, as strict about CRLF as Dataverse is."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.dataverse import refusals
from sandbox.dataverse.calls import Reply

_CRLF = b"\r\n"


@dataclass(frozen=True)
class Part:
    """One part: its own headers (lower-case names) and its content."""

    headers: Mapping[str, str]
    content: bytes

    @property
    def is_multipart(self) -> bool:
        return self.headers.get("content-type", "").startswith("multipart/")


@dataclass(frozen=True)
class InnerRequest:
    """The HTTP request inside a part of type application/http."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def read_parts(content_type: str, body: bytes) -> list[Part]:
    boundary = re.search(r'boundary="?([^";\s]+)"?', content_type, re.IGNORECASE)
    if not content_type.lower().startswith("multipart/mixed") or not boundary:
        raise refusals.batch_refused("The Content-Type is not multipart/mixed with a boundary.")
    delimiter = b"--" + boundary[1].encode()
    pieces = (_CRLF + body).split(_CRLF + delimiter)
    if len(pieces) < 2 or b"\n" + delimiter in b"".join(pieces):
        raise refusals.stream_not_readable()
    if not pieces[-1].startswith(b"--"):
        raise refusals.stream_not_readable()
    return [_part(piece) for piece in pieces[1:-1]]


def read_request(part: Part) -> InnerRequest:
    if part.headers.get("content-type", "").split(";")[0].strip() != "application/http":
        raise refusals.batch_refused("A part of a batch must be of type application/http.")
    if part.headers.get("content-transfer-encoding") != "binary":
        raise refusals.batch_refused("Content-Transfer-Encoding of a part must be binary.")
    head, _, body = part.content.partition(_CRLF + _CRLF)
    line, _, rest = head.partition(_CRLF)
    words = re.fullmatch(r"([A-Z]+) (.+) HTTP/1\.1", line.decode("utf-8", "replace"))
    if words is None or b"\n" in head.replace(_CRLF, b""):
        raise refusals.stream_not_readable()
    return InnerRequest(words[1], words[2], _headers(rest), body)


def write_replies(
    items: Sequence[tuple[str | None, Reply] | list[tuple[str | None, Reply]]],
) -> tuple[str, bytes]:
    """Content type and body; a list inside is a change set. Pairs are (Content-ID, reply)."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    out = bytearray()
    for item in items:
        out += f"--{boundary}\r\n".encode()
        out += _change_set(item) if isinstance(item, list) else _reply(*item)
    out += f"--{boundary}--\r\n".encode()
    return f"multipart/mixed; boundary={boundary}", bytes(out)


def _change_set(items: list[tuple[str | None, Reply]]) -> bytes:
    boundary = f"changesetresponse_{uuid.uuid4()}"
    out = bytearray(f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode())
    for item in items:
        out += f"--{boundary}\r\n".encode() + _reply(*item)
    return bytes(out) + f"--{boundary}--\r\n".encode()


def _reply(content_id: str | None, reply: Reply) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {reply.status} {reply.reason}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return "\r\n".join(lines).encode() + _CRLF + _CRLF + reply.body + _CRLF


def _part(piece: bytes) -> Part:
    if not piece.startswith(_CRLF):
        raise refusals.stream_not_readable()
    head, blank, content = piece[2:].partition(_CRLF + _CRLF)
    if not blank or b"\n" in head.replace(_CRLF, b""):
        raise refusals.stream_not_readable()
    return Part(_headers(head), content)


def _headers(text: bytes) -> dict[str, str]:
    found = {}
    for line in text.split(_CRLF):
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found
