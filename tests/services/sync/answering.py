"""An environment whose CRM answers with given bytes: the guard and the reader over no network."""

import httpcore2

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.connection import Connection, ModuleMapping
from services.sync.credential import Offered
from services.sync.crm.dataverse import DataverseAddress, Tokens
from services.sync.crm.dataverse.kind import DataverseCrm
from services.sync.crm.dataverse.tables import KnownTables, TableFacts
from services.sync.egress import Egress
from tests.services.sync.recording import ProvedStream, RecordingLedger, RecordingResolver

FACTS = TableFacts("account", "accountid")
MAPPING = ModuleMapping("accounts", "bulkhead_symbol", {"name": "name"})
CONNECTION = Connection(
    ConnectionId(new_id()),
    TenantId(new_id()),
    DataverseAddress(
        environment_url="https://crm.example.com",
        authority_url="https://login.example.com",
        directory_id="directory",
        client_id="client",
    ),
    {"organisation": MAPPING},
)
TOKEN = b'{"access_token":"t","expires_in":3599}'


def http(body: bytes, status: int = 200, **headers: str) -> bytes:
    """An answer in the bytes of HTTP/1.1; a header's name is written with underscores."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body


class _ByName(httpcore2.AsyncNetworkBackend):
    """Whoever connects first is the authority where one is given; all others are the CRM."""

    def __init__(self, token: bytes | None, answer: bytes) -> None:
        self._answers = [] if token is None else [token]
        self._answer = answer

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore2.AsyncNetworkStream:
        answer = self._answers.pop(0) if self._answers else self._answer
        pieces = [answer[start : start + 65536] for start in range(0, len(answer), 65536)]
        return ProvedStream(pieces)


def environment(answer: bytes, *, token: bytes | None = http(TOKEN)) -> DataverseCrm:
    """The CRM answers every request with `answer`; so does the authority, without a `token`.

    Its table is known already, and has no actions for many rows.
    """
    guard = Egress(resolver=RecordingResolver(), dialler=_ByName(token, answer))
    tables, offered = KnownTables(), Offered.secret("secret")
    tables.learn((CONNECTION.crm, MAPPING.table), FACTS)
    return DataverseCrm(CONNECTION, offered, guard, RecordingLedger(), Tokens(), tables)
