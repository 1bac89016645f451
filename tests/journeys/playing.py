"""Plays operations of the API document against a running suite, and keeps what was said as the
document's examples: in its own words where a value is of one installation only."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from jsonschema import Draft202012Validator, FormatChecker

from ops.api import Api

MOST = 2
"""Entries of a list that an example shows."""
WORDS = {
    "access_token": "an-access-token",
    "refresh_token": "a-refresh-token",
    "invitation": "an-invitation",
    "token": "an-invitation",
    "password": "a long sentence of one's own",
    "client_secret": "a-client-secret",
    "client_id": "0190dddd-0000-7000-8000-000000000001",
    "directory_id": "0190dddd-0000-7000-8000-000000000002",
    "environment_url": "https://contoso.crm4.dynamics.com",
    "authority_url": "https://login.microsoftonline.com",
    "host": "contoso.crm4.dynamics.com",
    "position": "MXw1ZWVkMDBkNS0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDF8NzQwOjc0MDp8fDA",
    "after": "MXw1ZWVkMDBkNS0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDF8NzQwOjc0MDp8fDA",
    "next_cursor": "a-cursor",
    "kid": "a-key-id",
    "x": "a-public-key",
    "If-Match": '"5eed00d5-3"',
    "pem": "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n",
    "sha1": "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12",
    "sha256": "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
    "size": 20480,
    "size_bytes": 20480,
    "rows": 6,
    "request_bytes": 2048,
    "response_bytes": 512,
    "duration_ms": 42,
    "rows_per_s": 250.0,
    "why": "notice",
    "due": 5,
    "sent": 5,
    "unchanged": 0,
}
OF_HERE = {
    "127.0.0.0/8": "203.0.113.0/24",
    "127.0.0.1/32": "203.0.113.7/32",
    "::1/128": "2001:db8::/32",
    "operator@bulkhead.example": "olga@bulkhead.example",
}
"""Also so that who tries the examples locks no name that others log in with."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_TOLD = {"location", "etag"}


@dataclass
class Player:
    """Sends, and compares every answer with what the document says of it."""

    document: Mapping[str, Any]
    examples: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)

    async def play(
        self,
        api: Api,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        only: Iterable[str] = (),
    ) -> Any:
        """The decoded answer. `only`: of a list, what has one of these ids is kept as example."""
        operation, values = self._operation(method, path)
        content = None if body is None else _encoded(body, media)
        sent = {**(headers or {}), **({"content-type": media} if content is not None else {})}
        answer = await api.raw(method, path, content=content, params=query, headers=sent)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        decoded = self._checked(operation, answer)
        example: dict[str, Any] = {"status": str(answer.status_code)}
        example |= {"parameters": {**values, **(query or {}), **(headers or {})}}
        if body is not None:
            shown = body if isinstance(body, bytes) else json.loads(content or b"")
            example["request"] = shown.decode() if isinstance(shown, bytes) else shown
        if isinstance(decoded, str):
            self._keep_file(operation["operationId"], example, answer)
            return decoded
        if answer.content:
            example["answer"] = _some(decoded, frozenset(only))
        self.examples.setdefault(operation["operationId"], self._in_words(example))
        return decoded

    def _keep_file(self, name: str, example: dict[str, Any], answer: httpx2.Response) -> None:
        """Of an answer in lines the first one, for each form that was played."""
        media, line = answer.headers["content-type"].partition(";")[0], answer.text.split("\n")[0]
        if media == "application/x-ndjson":
            line = json.dumps(self._in_words(json.loads(line)))
        files = self.examples.setdefault(name, self._in_words(example)).setdefault("files", {})
        files[media] = line.strip()

    def _operation(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The operation and its path's values; of two that fit, /bulk and {record}, the plainer."""
        fitting = []
        for template, entries in self.document["paths"].items():
            found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path)
            if found and method.lower() in entries:
                fitting.append((template.count("{"), entries[method.lower()], found.groupdict()))
        assert fitting, f"{method} {path} is not in the document"
        return min(fitting, key=lambda one: one[0])[1:]

    def _checked(self, operation: Mapping[str, Any], answer: httpx2.Response) -> Any:
        described = operation["responses"][str(answer.status_code)]
        named = {name.lower() for name in described["headers"]}
        assert named <= set(answer.headers), f"{operation['operationId']}: {named}"
        assert _TOLD & set(answer.headers) <= named, f"{operation['operationId']}: {named}"
        if "content" not in described:
            assert not answer.content
            return None
        media = answer.headers["content-type"].partition(";")[0]
        decoded = answer.json() if media == "application/json" else answer.text
        self.check(described["content"][media]["schema"], decoded)
        return decoded

    def check(self, schema: Mapping[str, Any], value: Any) -> None:
        """Raises where the value is not what the schema says."""
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)

    def _in_words(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._in_words(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [self._in_words(one) for one in value]
        if name in WORDS and value is not None and not isinstance(value, bool):
            return WORDS[name]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if _TIME.fullmatch(text):
            return "2026-01-05T09:00:00.000000Z"
        return _ID.sub(lambda found: self._id(found[0]), OF_HERE.get(text, text))

    def _id(self, live: str) -> str:
        number = len(self._ids) + 1
        return self._ids.setdefault(live, f"0190aaaa-0000-7000-8000-{number:012}")


def _encoded(body: Any, media: str) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _some(value: Any, only: frozenset[str]) -> Any:
    """The first entries of every list, and of what is granted; the rest says nothing new."""
    if isinstance(value, list):
        kept = [one for one in value if not only or one.get("id") in only]
        return [_some(one, frozenset()) for one in kept[:MOST]]
    if isinstance(value, dict):
        return {
            name: dict(sorted(one.items())[:MOST]) if name == "access" else _some(one, only)
            for name, one in value.items()
        }
    return value
