"""Writes down every request that arrives, byte for byte; only credentials are blacked out."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.dataverse import multipart
from sandbox.dataverse.refusals import Refusal

_encoded = json.JSONEncoder(ensure_ascii=False).encode
REDACTED = "<redacted>"
_SECRET_FIELDS = re.compile(rb"((?:^|&)client_(?:secret|assertion)=)[^&]*")


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it arrived; `status` is None while no reply was sent (or it was lost)."""

    number: int
    at: str
    port: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    status: int | None = None

    def operations(self) -> list[tuple[str, str, bytes]]:
        """(method, url, body) of the request, or of each request inside the batch."""
        kind = dict(self.headers).get("content-type", "")
        if not kind.startswith("multipart/"):
            return [(self.method, self.target, self.body)]
        return list(_operations(kind, self.body))

    def shown(self) -> dict[str, Any]:
        text = self.body.decode("utf-8", "backslashreplace")
        return {**self.__dict__, "body": text}


class Recorder:
    """The journal of received requests: JSON lines in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = sum(1 for _ in self.requests())
        self._file = path.open("ab")

    def close(self) -> None:
        self._file.close()

    def record(
        self, port: int, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> int:
        """Black out, write, hand to the operating system; done before anything else looks at it."""
        self._number += 1
        entry = {
            "number": self._number,
            "at": datetime.now(UTC).isoformat(),
            "port": port,
            "method": method,
            "target": target,
            "headers": [(n, REDACTED if n == "authorization" else v) for n, v in headers],
            **_written_body(_blacked_out(target, body)),
        }
        self._write(entry)
        return self._number

    def record_reply(self, number: int, status: int) -> None:
        self._write({"reply_to": number, "status": status})

    def requests(self, after: int = 0) -> list[RecordedRequest]:
        found: dict[int, dict[str, Any]] = {}
        for entry in self._entries():
            if "reply_to" in entry:
                found.get(entry["reply_to"], {})["status"] = entry["status"]
            elif entry["number"] > after:
                found[entry["number"]] = entry
        return [_read(entry) for entry in found.values()]

    def clear(self) -> None:
        self._file.truncate(0)
        self._number = 0

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(_encoded(entry).encode() + b"\n")
        self._file.flush()

    def _entries(self) -> Iterator[dict[str, Any]]:
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        return (json.loads(line) for line in lines if line.endswith(b"\n"))


def _operations(content_type: str, body: bytes) -> Iterator[tuple[str, str, bytes]]:
    try:
        for part in multipart.read_parts(content_type, body):
            if part.is_multipart:
                yield from _operations(part.headers["content-type"], part.content)
            else:
                request = multipart.read_request(part)
                yield request.method, request.url, request.body
    except Refusal:
        return


def _blacked_out(target: str, body: bytes) -> bytes:
    if not target.endswith("/oauth2/v2.0/token"):
        return body
    return _SECRET_FIELDS.sub(rb"\1" + REDACTED.encode(), body)


def _written_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _read(entry: dict[str, Any]) -> RecordedRequest:
    encoded = entry.pop("body_base64", None)
    body = base64.b64decode(encoded) if encoded is not None else entry.pop("body").encode()
    headers = [(name, value) for name, value in entry.pop("headers")]
    return RecordedRequest(**entry, headers=headers, body=body)
