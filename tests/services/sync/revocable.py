"""A CRM behind real TLS whose authority publishes lists, and a guard that can reach both."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from services.sync.egress import CallLimits, Egress, InjectedName, ListLimits, Reply
from tests.services.sync.list_server import ListServer, publishing
from tests.services.sync.public_authority import (
    LEAF_LIST,
    LISTS,
    ROOT_LIST,
    Leaf,
    PublicAuthority,
)
from tests.services.sync.recording import RecordingLedger, call
from tests.services.sync.tls_server import TlsServer, serving

HOST = "crm.example.com"
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CALLS = CallLimits(connect_s=2, read_s=5, total_s=20)
SMALL = CallLimits(connect_s=1, read_s=1, total_s=2, body_bytes=100_000)
AUTHORITY = PublicAuthority()


@dataclass
class Revocable:
    """`fetch` makes one call; `lists` and `crm` tell what arrived."""

    authority: PublicAuthority
    leaf: Leaf
    crm: TlsServer
    lists: ListServer
    egress: Egress = field(init=False)
    ledger: RecordingLedger = field(default_factory=RecordingLedger)

    def name(self) -> InjectedName:
        return InjectedName(HOST, "127.0.0.1", self.crm.port, self.authority.root.pem.decode())

    def list_name(self) -> InjectedName:
        return InjectedName(LISTS, "127.0.0.1", self.lists.port, "")

    def guard(self, calls: CallLimits = CALLS, lists: ListLimits | None = None) -> Egress:
        return Egress.injecting(
            self.name(), lists=self.list_name(), limits=calls, list_limits=lists
        )

    def publish(self, *leaves: int, authorities: tuple[int, ...] = (), **form: Any) -> None:
        """Lists that name these serial numbers; `form` is that of the leaves' list."""
        self.lists.put(ROOT_LIST, self.authority.root.sign_list(*authorities))
        self.lists.put(LEAF_LIST, self.authority.below.sign_list(*leaves, **form))

    async def fetch(self, **changes: Any) -> Reply:
        return await self.egress.send(call(f"https://{HOST}/x", HOST, **changes), self.ledger)


@contextlib.asynccontextmanager
async def revocable(
    *points: Any,
    authority: PublicAuthority = AUTHORITY,
    answer: bytes = OK,
    calls: CallLimits = CALLS,
    **limits: Any,
) -> AsyncIterator[Revocable]:
    """Its leaf names `points`, or the usual list; both lists are there and name nobody."""
    leaf = authority.issue(HOST, points or (LEAF_LIST,))
    bounds = ListLimits(**{"call": SMALL, **limits})
    async with publishing() as lists, serving(answer, leaf.identity.server_context()) as crm:
        made = Revocable(authority, leaf, crm, lists)
        made.egress = made.guard(calls, bounds)
        made.publish()
        try:
            yield made
        finally:
            await made.egress.close()
