"""One Dataverse environment as a connection sees it: describe, and upsert in batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import uuid4

from kit import clock
from services.sync.connection import Connection, ModuleMapping
from services.sync.crm.dataverse import metadata, outcomes, replies, upserts
from services.sync.crm.dataverse.address import DataverseAddress, address_of
from services.sync.crm.dataverse.aside import aside
from services.sync.crm.dataverse.metadata import Column, Table
from services.sync.crm.dataverse.operations import (
    API,
    BATCH,
    COLUMNS,
    TABLE,
    WHO_AM_I,
    Operation,
    documented,
)
from services.sync.crm.dataverse.tokens import SignInRefused, Tokens
from services.sync.crm.outcome import Outcome, Verdict
from services.sync.crm.port import Sent, Upsert
from services.sync.egress import AddressRefused, Call, CallFailed, CallLedger, Egress, Reply

_HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}
_FAILURES = (SignInRefused, CallFailed, AddressRefused)
_NOT_RUN = Outcome(Verdict.BACK_OFF, "the CRM stopped before this row")


class TableMissing(Exception):
    """The environment has no table of that name."""


@dataclass(frozen=True)
class Environment:
    """Calls on behalf of one connection; the secret is never printed."""

    connection: Connection
    secret: str = field(repr=False)
    egress: Egress
    ledger: CallLedger
    tokens: Tokens

    @property
    def address(self) -> DataverseAddress:
        return address_of(self.connection)

    async def sign_in(self) -> None:
        """Get a token; raises TokenRefused and what the guard raises."""
        await self._token()

    async def refusal(self) -> Outcome | None:
        """Why there is no token; None where there is one, and batches can be sent at once."""
        try:
            await self._token()
        except _FAILURES as failure:
            return _outcome(failure)
        return None

    async def who_am_i(self) -> Reply:
        return await self._call(WHO_AM_I, f"{API}/WhoAmI")

    async def table(self, entity_set: str) -> Table:
        """Logical name and alternate keys of a table; raises TableMissing."""
        path = (
            f"{API}/EntityDefinitions?$select=LogicalName,EntitySetName"
            f"&$filter=EntitySetName%20eq%20'{entity_set}'"
            "&$expand=Keys($select=KeyAttributes,EntityKeyIndexStatus)"
        )
        reply = await self._call(TABLE, path, table=entity_set)
        found = await aside(metadata.tables, reply)
        if not found:
            raise TableMissing(entity_set)
        return found[0]

    async def columns(self, logical_name: str) -> dict[str, Column]:
        """The columns of a table by logical name."""
        path = (
            f"{API}/EntityDefinitions(LogicalName='{logical_name}')/Attributes"
            "?$select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate"
        )
        return await aside(metadata.columns, await self._call(COLUMNS, path, table=logical_name))

    async def upsert(self, mapping: ModuleMapping, rows: Sequence[Upsert]) -> Sent:
        """Send the rows, at most one per key; never raises for what the CRM or the network does."""
        content_type, body = upserts.batch(mapping.table, mapping.key_attribute, rows)
        fields = sorted({name for row in rows for name in row.values})
        headers = {"Content-Type": content_type, "Prefer": "odata.continue-on-error"}
        call = self._new_call(
            BATCH, f"{API}/$batch", headers=headers, body=body, table=mapping.table
        )
        try:
            reply = await self._authorised(replace(call, fields=fields, rows=len(rows)))
        except _FAILURES as failure:
            return Sent(whole=_outcome(failure))
        return await aside(partial(_sent, expected=len(rows)), reply)

    async def _call(self, operation: Operation, path: str, *, table: str | None = None) -> Reply:
        return await self._authorised(self._new_call(operation, path, table=table))

    async def _authorised(self, call: Call) -> Reply:
        """Send with a token; a 401 is answered once with a fresh one (nothing was carried out)."""
        token = await self._token()
        reply = await self._with_token(call, token)
        if reply.status == 401:
            self.tokens.forget(self.connection.id, token)
            reply = await self._with_token(call, await self._token())
        return reply

    async def _with_token(self, call: Call, token: str) -> Reply:
        headers = {**call.headers, "Authorization": f"Bearer {token}"}
        return await self.egress.send(replace(call, headers=headers), self.ledger)

    async def _token(self) -> str:
        return await self.tokens.token(self.connection, self.secret, self._send_token_request)

    async def _send_token_request(self, operation: Operation, path: str, body: bytes) -> Reply:
        call = Call(
            tenant=self.connection.tenant,
            connection=self.connection.id,
            names=self.connection.names,
            method=operation.method,
            url=f"https://{self.address.authority_host}{path}",
            operation=operation.name,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=body,
            reply_bytes=operation.reply_bytes,
        )
        return await self.egress.send(call, self.ledger)

    def _new_call(
        self,
        operation: Operation,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        table: str | None = None,
    ) -> Call:
        return Call(
            tenant=self.connection.tenant,
            connection=self.connection.id,
            names=self.connection.names,
            method=operation.method,
            url=f"https://{self.address.environment_host}{documented(operation, path)}",
            operation=operation.name,
            headers={**_HEADERS, "x-ms-client-request-id": str(uuid4()), **(headers or {})},
            body=body,
            table=table,
            reply_bytes=operation.reply_bytes,
        )


def _outcome(failure: SignInRefused | CallFailed | AddressRefused) -> Outcome:
    if isinstance(failure, SignInRefused):
        return failure.outcome
    return Outcome(Verdict.BACK_OFF, failure.reason)


def _sent(reply: Reply, expected: int) -> Sent:
    now = clock.now()
    hint = reply.headers.get("x-ms-dop-hint", "")
    parallel = int(hint) if hint.isascii() and hint.isdigit() and len(hint) < 4 else None
    if whole := outcomes.of_batch(reply.status, reply.headers, reply.body, now):
        return Sent(whole=whole, parallel_hint=parallel)
    try:
        found = replies.parts(reply.headers.get("content-type", ""), reply.body, expected)
    except replies.ReplyUnreadable as error:
        return Sent(whole=Outcome(Verdict.BACK_OFF, str(error)), parallel_hint=parallel)
    rows = [outcomes.of_row(part.status, part.headers, part.body, now) for part in found]
    return Sent(rows=rows + [_NOT_RUN] * (expected - len(rows)), parallel_hint=parallel)
