"""Sums by operation of what came in and went out: to be compared with what a client has counted."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

_DATA = re.compile(r"/api/data/v9\.\d/([^?]*)")
_KEY = re.compile(r"\((?:'[^']*+'|[^')])*+\)")
_CLIENTS_OWN = re.compile(r"[^\w$./()-]")


@dataclass
class Sums:
    """Bytes are those of bodies. A call without a status was not answered, or the answer lost."""

    calls: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


class Counters:
    """`POST $batch`, `PATCH accounts()`, `POST token` ... with the sums of each."""

    def __init__(self) -> None:
        self._sums: dict[str, Sums] = {}

    def begin(self, method: str, target: str, body: bytes) -> Sums:
        sums = self._sums.setdefault(operation(method, target), Sums())
        sums.calls += 1
        sums.request_bytes += len(body)
        return sums

    def shown(self) -> dict[str, dict[str, Any]]:
        return {name: asdict(sums) for name, sums in sorted(self._sums.items())}

    def clear(self) -> None:
        self._sums.clear()


def answered(sums: Sums, status: int, body: bytes) -> None:
    sums.response_bytes += len(body)
    sums.statuses[str(status)] = sums.statuses.get(str(status), 0) + 1


def operation(method: str, target: str) -> str:
    """Without anything that differs from row to row, so that there are few."""
    path = target.partition("?")[0]
    if path.endswith("/oauth2/v2.0/token"):
        return f"{method} token"
    data = _DATA.match(target)
    name = _KEY.sub("()", data[1]) if data else "other"
    return f"{method} {'other' if _CLIENTS_OWN.search(name) else name}"
