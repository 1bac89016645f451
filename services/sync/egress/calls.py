"""One call through the guard and its line in the tenant's ledger: what goes out, what came back."""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from contracts.ids import ConnectionId, TenantId
from services.sync.revocation import Unlisted


@dataclass(frozen=True)
class Call:
    """A request towards a CRM. `names` are the hosts that the connection registered.

    `operation`, `table`, `fields` (names only) and `rows` are what the ledger says about it.
    A reply of more than `reply_bytes` is refused; the guard has a bound of its own besides.
    `unlisted` is what becomes of it where nothing can be known of the certificate's revocation.
    """

    tenant: TenantId
    connection: ConnectionId
    names: frozenset[str]
    method: str
    url: str
    operation: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    table: str | None = None
    fields: Sequence[str] = ()
    rows: int = 0
    reply_bytes: int | None = None
    unlisted: Unlisted = "refuse"


@dataclass(frozen=True)
class Reply:
    """What came back; header names in lower case, the first value of each."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class CallLedger(Protocol):
    async def begin(self, call: Call, host: str) -> UUID:
        """Write that the call is about to happen; without this line it does not."""

    def end(
        self,
        line: UUID,
        *,
        status: int | None,
        response_bytes: int,
        duration_ms: int,
        error: str,
        has_left: bool,
    ) -> Coroutine[Any, Any, None]:
        """Complete the line; a line without an end is a call whose outcome is unknown.

        Without `has_left` no byte of the request has left for certain.
        """
