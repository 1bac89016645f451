"""Read by Schemathesis (SCHEMATHESIS_HOOKS): with whose token each operation is called.

CALLERS names a file: {"url", "ca", "logins": {who: [path of the login, e-mail, password]}}.
"""

import json
import os
import ssl
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import schemathesis

KEPT_FOR_S = 200.0
NOBODY = "no-token"
LOCKED_OUT = {"execute_restore", "replace_allowlist"}
_kept: dict[str, tuple[str, float]] = {}


def who_calls(operation: str, path: str) -> str:
    """Of whom others depend: an operation that shuts somebody out shuts out nobody else."""
    if operation == "log_out":
        return "leaving"
    if operation in LOCKED_OUT:
        return "locked out"
    return "administrator" if path.startswith("/t/") or operation == "me" else "operator"


def token_of(who: str) -> str:
    """A token of a session that goes on; of one of its own where it is about to end."""
    token, until = _kept.get(who, (NOBODY, 0.0))
    if until < time.monotonic() or who == "leaving":
        token = log_in(who)
        _kept[who] = token, time.monotonic() + KEPT_FOR_S
    return token


@cache
def callers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(os.environ["CALLERS"]).read_text())
    return found


def log_in(who: str) -> str:
    path, email, password = callers()["logins"][who]
    body = json.dumps({"email": email, "password": password}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(callers()["url"] + path, body, headers)
    trust = ssl.create_default_context(cafile=callers()["ca"])
    try:
        with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
            return str(json.load(answer)["access_token"])
    except urllib.error.HTTPError:
        return NOBODY


@schemathesis.auth(refresh_interval=None)
class Callers:
    """The token goes where the document says."""

    def get(self, case: Any, _context: Any) -> str:
        operation = case.operation.definition.raw["operationId"]
        return token_of(who_calls(operation, case.operation.path))

    def set(self, case: Any, data: str, _context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """The document says text; what else is tried is sent as JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
