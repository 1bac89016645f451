"""Ports of the guard that write down what was asked of them, so that a test can prove silence."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpcore2

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.egress import Call
from services.sync.egress.resolving import Route

TENANT, CONNECTION = TenantId(new_id()), ConnectionId(new_id())


@dataclass
class RecordingResolver:
    """Gives the same answer for every name."""

    addresses: tuple[str, ...] = ("93.184.215.14",)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str) -> Route:
        self.asked.append(host)
        return Route(self.addresses)


class RecordingDialler(httpcore2.AsyncNetworkBackend):
    """Never connects."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((host, port))
        raise httpcore2.ConnectError("recorded")


@dataclass
class RecordingLedger:
    lines: list[tuple[Call, str]] = field(default_factory=list)
    ends: list[dict[str, Any]] = field(default_factory=list)

    async def begin(self, call: Call, host: str) -> UUID:
        self.lines.append((call, host))
        return new_id()

    async def end(self, line: UUID, **values: Any) -> None:
        self.ends.append(values)


def call(url: str, *names: str, **changes: Any) -> Call:
    given: dict[str, Any] = {
        "tenant": TENANT,
        "connection": CONNECTION,
        "names": frozenset(names),
        "method": "GET",
        "url": url,
        "operation": "test",
    }
    return Call(**(given | changes))
