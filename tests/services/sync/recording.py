"""Ports of the guard that write down what was asked of them, so that a test can prove silence."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpcore2

from contracts.ids import ConnectionId, TenantId, new_id
from sandbox.certificates import Authority
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


class Handshake:
    """What TLS tells of a connection that it has proved: a chain of one certificate, the anchor."""

    CHAIN = (ssl.PEM_cert_to_DER_cert(Authority.new().certificate.decode()),)

    def get_verified_chain(self) -> tuple[bytes, ...]:
        return self.CHAIN

    def selected_alpn_protocol(self) -> None:
        return None


class ProvedStream(httpcore2.AsyncMockStream):
    """A network's answer as if it had come after a handshake."""

    def get_extra_info(self, info: str) -> Any:
        return Handshake() if info == "ssl_object" else super().get_extra_info(info)


class ProvedNetwork(RecordingDialler):
    """Answers with the same pieces on every connection."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    async def connect_tcp(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        return ProvedStream(list(self._pieces))


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
