"""Which tenants there are: told by notices, asked by a sweep, so that a lost notice heals."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from contracts.clients import TenantEntry
from contracts.ids import TenantId
from kit.db import Database
from kit.problems import NotFound
from services.auth.store import tenants

ListTenants = Callable[[], Awaitable[Sequence[TenantEntry]]]


class Directory:
    """`list_tenants` is TenantsClient.tenants."""

    def __init__(
        self, db: Database, list_tenants: ListTenants, now: Callable[[], datetime]
    ) -> None:
        self._db, self._list_tenants, self._now = db, list_tenants, now

    async def sweep(self) -> None:
        """Take over the whole list; news that comes while it is asked for stays."""
        asked_at = self._now()
        states = {entry.id: entry.state for entry in await self._list_tenants()}
        async with self._db.write() as session:
            await tenants.set_all(session, states, asked_at)

    async def check_open(self, tenant: TenantId) -> None:
        """NotFound unless the tenant is open; a tenant never heard of is asked for first."""
        if await self._state(tenant) is None:
            await self.sweep()
        if await self._state(tenant) not in {"active", "suspended"}:
            raise NotFound("there is no such tenant")

    async def _state(self, tenant: TenantId) -> str | None:
        async with self._db.read() as session:
            return await tenants.state(session, tenant)
