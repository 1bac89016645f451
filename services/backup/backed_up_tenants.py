"""The tenants to be backed up: a key and a row for each, from notices and from a sweep."""

import asyncio
from dataclasses import dataclass

from contracts.clients import TenantsClient
from contracts.ids import TenantId
from kit.db import Database, WriteSession
from kit.timers import each
from services.backup.store import tenants as store
from services.backup.vault.key_files import KeyFiles

_AT_ONCE = 4  # one connection of the pool is left to others


@dataclass(frozen=True)
class BackedUpTenants:
    """Makes tenants known; everything here may be repeated."""

    db: Database
    keyring: KeyFiles
    tenants: TenantsClient

    async def add(self, session: WriteSession, tenant: TenantId) -> None:
        """The key first: a tenant that is known can be backed up.

        Only a tenant that is new gets one: a lost key must be noticed, not replaced.
        """
        if not await store.is_known(session, tenant):
            await asyncio.to_thread(self.keyring.ensure, tenant)
            await store.add(session, tenant)

    async def sweep(self) -> None:
        """Heal lost notices: ask for all tenants there are; only new ones cost anything."""
        found = {TenantId(entry.id) for entry in await self.tenants.tenants()}
        async with self.db.read() as session:
            known = set(await store.known(session))
        await each(sorted(found - known), self._add_alone, "tenants", at_once=_AT_ONCE)

    async def _add_alone(self, tenant: TenantId) -> None:
        async with self.db.write() as session:
            await self.add(session, tenant)
