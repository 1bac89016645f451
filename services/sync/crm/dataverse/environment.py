"""One Dataverse environment as a connection sees it: calls with a token, and descriptions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from services.sync.connection import Connection, ModuleMapping
from services.sync.credential import Credentials
from services.sync.crm.dataverse import metadata
from services.sync.crm.dataverse.address import DataverseAddress, address_of
from services.sync.crm.dataverse.aside import aside
from services.sync.crm.dataverse.metadata import Column, Table
from services.sync.crm.dataverse.operations import (
    API,
    COLUMNS,
    MESSAGES,
    TABLE,
    WHO_AM_I,
    Operation,
    documented,
)
from services.sync.crm.dataverse.sign_in import SignInRefused
from services.sync.crm.dataverse.tables import KnownTables, TableFacts
from services.sync.crm.dataverse.tokens import Tokens
from services.sync.crm.verdict import Meaning, Verdict
from services.sync.egress import AddressRefused, Call, CallFailed, CallLedger, Egress, Reply

_HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}

_TOO_SLOW = Verdict(Meaning.BACK_OFF, "the CRM's token had ended before the CRM answered")


class TableMissing(Exception):
    """The environment has no table of that name."""


FAILURES = (SignInRefused, CallFailed, AddressRefused, TableMissing)


@dataclass(frozen=True)
class Environment:
    """Calls on behalf of one connection."""

    connection: Connection
    credentials: Credentials
    egress: Egress
    ledger: CallLedger
    tokens: Tokens
    tables: KnownTables

    @property
    def address(self) -> DataverseAddress:
        return address_of(self.connection)

    async def sign_in(self) -> None:
        """Get a token; raises SignInRefused and what the guard raises."""
        await self._token()

    async def refusal(self) -> Verdict | None:
        """Why there is no token; None where there is one, and batches can be sent at once."""
        try:
            await self._token()
        except FAILURES as failure:
            return verdict_of(failure)
        return None

    async def who_am_i(self) -> Reply:
        return await self._call(WHO_AM_I, f"{API}/WhoAmI")

    async def table(self, entity_set: str) -> Table:
        """Logical name and alternate keys of a table; raises TableMissing."""
        path = (
            f"{API}/EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute"
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
            "?$select=LogicalName,AttributeTypeName,RequiredLevel,IsValidForCreate,IsValidForUpdate"
        )
        return await aside(metadata.columns, await self._call(COLUMNS, path, table=logical_name))

    async def facts(self, mapping: ModuleMapping) -> TableFacts:
        """What a write to the mapping's table needs to know; raises like `table`."""
        key = (self.connection.crm, mapping.table)
        return await self.tables.facts(key, lambda: self._ask_facts(mapping.table))

    async def _ask_facts(self, entity_set: str) -> TableFacts:
        found = await self.table(entity_set)
        name = found.logical_name
        updates = await self._has_message(name, "UpdateMultiple")
        creates = updates and await self._has_message(name, "CreateMultiple")
        return TableFacts(name, found.primary_id_attribute, creates, updates)

    async def _has_message(self, logical_name: str, message: str) -> bool:
        """Whether the table has a bulk action; it has UpsertMultiple where it has both others."""
        path = (
            f"{API}/sdkmessagefilters?$select=sdkmessagefilterid&$filter=sdkmessageid/name%20eq%20"
            f"'{message}'%20and%20primaryobjecttypecode%20eq%20'{logical_name}'"
        )
        reply = await self._call(MESSAGES, path, table=logical_name)
        # without the right to ask, rows go one by one
        return reply.status == 200 and metadata.has_entries(reply)

    async def _call(self, operation: Operation, path: str, *, table: str | None = None) -> Reply:
        return await self.authorised(self.new_call(operation, path, table=table))

    async def authorised(self, call: Call) -> Reply:
        """Send with a token; a 401 is answered once with a fresh one (nothing was carried out).

        Raises SignInRefused where that one has ended before its answer came, too: a 401 that names
        no living token says nothing of its user.
        """
        token = await self._token()
        reply = await self._with_token(call, token)
        if reply.status == 401:
            self.tokens.forget(self.connection.id, token)
            token = await self._token()
            reply = await self._with_token(call, token)
            if reply.status == 401 and not self.tokens.lives(self.connection.id, token):
                raise SignInRefused(_TOO_SLOW)
        return reply

    async def _with_token(self, call: Call, token: str) -> Reply:
        headers = {**call.headers, "Authorization": f"Bearer {token}"}
        return await self.egress.send(replace(call, headers=headers), self.ledger)

    async def _token(self) -> str:
        return await self.tokens.token(self.connection, self.credentials, self._send_token_request)

    async def _send_token_request(self, operation: Operation, path: str, body: bytes) -> Reply:
        call = Call(
            tenant=self.connection.tenant,
            connection=self.connection.id,
            names=self.connection.names,
            unlisted=self.address.unlisted,
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

    def new_call(
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
            unlisted=self.address.unlisted,
            method=operation.method,
            url=f"https://{self.address.environment_host}{documented(operation, path)}",
            operation=operation.name,
            headers={**_HEADERS, "x-ms-client-request-id": str(uuid4()), **(headers or {})},
            body=body,
            table=table,
            reply_bytes=operation.reply_bytes,
        )


def verdict_of(failure: Exception) -> Verdict:
    """What one of FAILURES means for everything that was to be sent."""
    if isinstance(failure, SignInRefused):
        return replace(failure.verdict, is_elsewhere=True)
    if isinstance(failure, CallFailed):
        left = failure.sent
        return Verdict(Meaning.BACK_OFF, failure.reason, is_unsure=left, is_elsewhere=not left)
    if isinstance(failure, AddressRefused):
        return Verdict(Meaning.BACK_OFF, failure.reason, is_elsewhere=True)
    return Verdict(Meaning.BROKEN, f"the CRM has no table {str(failure)!r}")
