"""The tenants service as its peers see it: feeds, connections, leases, restore targets, swap."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import httpx2

from contracts.clients.peer import Peer
from contracts.clients.tenants_bodies import (
    ChangePage,
    Lease,
    MappedModules,
    NewLease,
    NewTarget,
    PresentRecords,
    RecordCounts,
    RecordsAsked,
    Swap,
    TargetName,
    TenantEntries,
    TenantEntry,
)
from contracts.ids import ConnectionId, LeaseId, RestoreId, TenantId
from kit.sealing import SigningKey

_REGISTERING_S = 5.0  # somebody may be waiting for it, and it is repeated anyway


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
        """A page of what changed, without values; `limit` counts journal rows."""
        query = {"limit": str(limit)} | ({"after": after} if after else {})
        path = f"/internal/tenants/{tenant}/connections/{connection}/changes"
        return ChangePage.model_validate(await self._peer.call("GET", path, query=query))

    async def read_records(
        self, tenant: TenantId, connection: ConnectionId, module: str, ids: Sequence[UUID]
    ) -> PresentRecords:
        """The present values of the chosen fields; vanished records are absent."""
        path = f"/internal/tenants/{tenant}/connections/{connection}/records"
        body = RecordsAsked(module=module, ids=list(ids))
        return PresentRecords.model_validate(await self._peer.call("POST", path, json=body))

    async def count_records(self, tenant: TenantId, connection: ConnectionId) -> Mapping[str, int]:
        """How many records there are, of each module that is open to the connection."""
        path = f"/internal/tenants/{tenant}/connections/{connection}/counts"
        return RecordCounts.model_validate(await self._peer.call("GET", path)).modules

    async def register(
        self, tenant: TenantId, connection: ConnectionId, modules: Mapping[str, Sequence[str]]
    ) -> None:
        """Say which fields of which modules the connection maps, in place of what was said before.

        Nothing else may be chosen for it, and nothing else leaves. May be repeated.
        """
        body = MappedModules(modules={name: list(fields) for name, fields in modules.items()})
        path = f"/internal/tenants/{tenant}/connections/{connection}"
        await self._peer.call("PUT", path, json=body, timeout_s=_REGISTERING_S)

    async def unregister(self, tenant: TenantId, connection: ConnectionId) -> None:
        """Forget a connection with its field choice; may be repeated."""
        path = f"/internal/tenants/{tenant}/connections/{connection}"
        await self._peer.call("DELETE", path, timeout_s=_REGISTERING_S)

    async def lease(
        self, tenant: TenantId, purpose: Literal["dump", "restore"], target: str | None = None
    ) -> Lease:
        """A lease; for a restore, on the database `target` that restore_target made."""
        body = NewLease(purpose=purpose, target=target)
        path = f"/internal/tenants/{tenant}/leases"
        return Lease.model_validate(await self._peer.call("POST", path, json=body))

    async def release(self, tenant: TenantId, lease: LeaseId) -> None:
        await self._peer.call("DELETE", f"/internal/tenants/{tenant}/leases/{lease}")

    async def restore_target(self, tenant: TenantId, restore: RestoreId) -> str:
        """The name of an empty database for the restore; the same one when asked again."""
        path = f"/internal/tenants/{tenant}/restore-targets"
        answer = await self._peer.call("POST", path, json=NewTarget(restore=restore))
        return TargetName.model_validate(answer).database

    async def drop_restore_target(self, tenant: TenantId, database: str) -> None:
        await self._peer.call("DELETE", f"/internal/tenants/{tenant}/restore-targets/{database}")

    async def swap(self, tenant: TenantId, restore: RestoreId, database: str) -> None:
        """Put the restored database in the place of the tenant's; repeatable."""
        body = Swap(restore=restore, database=database)
        await self._peer.call("POST", f"/internal/tenants/{tenant}/swap", json=body, timeout_s=60.0)

    async def aclose(self) -> None:
        await self._peer.aclose()
