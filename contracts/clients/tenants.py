"""The tenants service as its peers see it: changes, records, leases, restore targets, swap."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import httpx2
from pydantic import BaseModel, ConfigDict, SecretStr

from contracts.clients.peer import Peer
from contracts.ids import ConnectionId, LeaseId, RestoreId, TenantId
from kit.sealing import SigningKey


class _Answer(BaseModel):
    """What a peer answers: members that a newer peer adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class TenantEntry(_Answer):
    """A tenant as the directory knows it; `state` is active or suspended."""

    id: UUID
    state: Literal["active", "suspended"]


class TenantEntries(_Answer):
    """All tenants, oldest first."""

    tenants: list[TenantEntry]


class ChangedRecord(_Answer):
    """A record with its present values of the chosen fields only."""

    id: UUID
    module: str
    key: str | None
    op: Literal["upsert", "delete"]
    version: int
    fields: dict[str, Any]


class ChangePage(_Answer):
    """Changes after a position.

    `position` goes into the next call; `more` is False at the end; `reset` is True where the
    given position was of another chain (or absent) and the page is of all present records.
    """

    position: str
    more: bool
    reset: bool
    rows: list[ChangedRecord]


class Lease(_Answer):
    """A database role made for one tenant and purpose, until `ends_at`."""

    lease: UUID
    host: str
    port: int
    database: str
    user: str
    password: SecretStr
    owner: str
    ends_at: datetime


class TenantsClient:
    """Calls as `service`; errors are those of Peer.call."""

    def __init__(
        self,
        base_url: str,
        *,
        key: SigningKey,
        service: str,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._peer = Peer(
            base_url, key=key, service=service, audience="tenants", transport=transport
        )

    async def tenants(self) -> list[TenantEntry]:
        """All tenants that are not closed."""
        answer = await self._peer.call("GET", "/internal/tenants")
        return TenantEntries.model_validate(answer).tenants

    async def changes(
        self, tenant: TenantId, connection: ConnectionId, after: str | None, limit: int = 500
    ) -> ChangePage:
        """A page of changes of the chosen fields; `limit` counts journal rows."""
        query = {"limit": str(limit)} | ({"after": after} if after else {})
        path = f"/internal/tenants/{tenant}/connections/{connection}/changes"
        return ChangePage.model_validate(await self._peer.call("GET", path, query=query))

    async def read_records(
        self, tenant: TenantId, connection: ConnectionId, module: str, ids: Sequence[UUID]
    ) -> list[ChangedRecord]:
        """The present values of the chosen fields; vanished records are absent."""
        path = f"/internal/tenants/{tenant}/connections/{connection}/records"
        body = {"module": module, "ids": [str(one) for one in ids]}
        answer = await self._peer.call("POST", path, json=body)
        return [ChangedRecord.model_validate(one) for one in answer["rows"]]

    async def lease(
        self, tenant: TenantId, purpose: Literal["dump", "restore"], target: str | None = None
    ) -> Lease:
        """A lease; for a restore, on the database `target` that restore_target made."""
        body = {"purpose": purpose} | ({"target": target} if target else {})
        path = f"/internal/tenants/{tenant}/leases"
        return Lease.model_validate(await self._peer.call("POST", path, json=body))

    async def release(self, tenant: TenantId, lease: LeaseId) -> None:
        await self._peer.call("DELETE", f"/internal/tenants/{tenant}/leases/{lease}")

    async def restore_target(self, tenant: TenantId, restore: RestoreId) -> str:
        """The name of an empty database for the restore; the same one when asked again."""
        path = f"/internal/tenants/{tenant}/restore-targets"
        answer = await self._peer.call("POST", path, json={"restore": str(restore)})
        return str(answer["database"])

    async def drop_restore_target(self, tenant: TenantId, database: str) -> None:
        await self._peer.call("DELETE", f"/internal/tenants/{tenant}/restore-targets/{database}")

    async def swap(self, tenant: TenantId, restore: RestoreId, database: str) -> None:
        """Put the restored database in the place of the tenant's; repeatable."""
        body = {"restore": str(restore), "database": database}
        await self._peer.call("POST", f"/internal/tenants/{tenant}/swap", json=body, timeout_s=60.0)

    async def aclose(self) -> None:
        await self._peer.aclose()
