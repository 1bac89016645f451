"""One Web API request and one reply, the same whether alone or inside a batch."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus

from sandbox.dataverse import refusals
from sandbox.dataverse.refusals import Refusal

_ANNOTATIONS = re.compile(r'odata\.include-annotations="?([^";\s]*)')
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
JSON = "application/json; odata.metadata=minimal"


@dataclass(frozen=True)
class Call:
    """`target` is below the service root, still percent-encoded; header names are lower case.

    `user` is the id of the user in whose name it is; `behalf`, of the one who really acts, if that
    is another. With `bypass` no plug-in looks at what is written.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    root: str
    user: str = ""
    behalf: str | None = None
    bypass: bool = False

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def options(self) -> dict[str, str]:
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}

    def prefers(self, preference: str) -> bool:
        return preference in self._preferences()

    def preference(self, name: str) -> str | None:
        for item in self._preferences():
            if item.startswith(name + "="):
                return item.removeprefix(name + "=").strip('"')
        return None

    def wants_annotation(self, name: str) -> bool:
        """Whether `Prefer: odata.include-annotations="..."` names this annotation, or all."""
        found = _ANNOTATIONS.search(self.headers.get("prefer", ""))
        return found is not None and not {"*", name}.isdisjoint(found[1].split(","))

    def page_size(self) -> int | None:
        wanted = self.preference("odata.maxpagesize")
        return whole_number("odata.maxpagesize", wanted) if wanted is not None else None

    def _preferences(self) -> list[str]:
        return [item.strip() for item in self.headers.get("prefer", "").split(",")]

    def json_object(self, entity: str) -> dict[str, Any]:
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise refusals.bad_payload(entity, "Newtonsoft.Json.JsonReaderException") from None
        if not isinstance(value, dict):
            raise refusals.bad_payload(entity, "Microsoft.OData.ODataException: not an object")
        return value


@dataclass
class Reply:
    """`location` is the address of a created row, for Content-ID references."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    location: str | None = None

    @property
    def reason(self) -> str:
        return HTTPStatus(self.status).phrase


def whole_number(option: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) == 0:
        raise refusals.not_a_number(option)
    return int(text)


def json_reply(value: object, status: int = 200) -> Reply:
    body = _encoded(value).encode()
    return Reply(status, [("Content-Type", JSON), ("OData-Version", "4.0")], body)


def no_content(*headers: tuple[str, str]) -> Reply:
    return Reply(204, [("OData-Version", "4.0"), *headers])


def refusal_reply(refusal: Refusal) -> Reply:
    reply = json_reply(
        {"error": {"code": refusal.code, "message": refusal.message}}, refusal.status
    )
    reply.headers += [("REQ_ID", str(uuid.uuid4())), *refusal.headers]
    return reply
