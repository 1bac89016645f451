"""Tenants come into being, are suspended and resumed: whole, or not at all."""

import asyncio
from datetime import timedelta

from contracts.events import TenantCreated, TenantResumed, TenantSuspended
from contracts.ids import TenantId, new_id
from kit import clock, logs, outbox
from kit.db import Database
from kit.problems import Conflict, NotFound
from kit.sealing import Kek
from kit.supervisor import spawn
from kit.timers import each
from services.tenants.databases.addresses import Addresses, seal_password, unseal_password
from services.tenants.databases.store import directory as store
from services.tenants.problems import TenantNameTaken
from tenantdb import TenantDatabases, names, provision, template
from tenantdb.cluster import Cluster

_UNFINISHED_AFTER = timedelta(minutes=10)
_log = logs.get(__name__)


class Provisioning:
    """The only maker of tenant databases.

    The directory row is written first, so that whatever is made is found again: a making that
    fails is undone at once, or by `sweep`. Nothing is ever dropped that no row names.
    """

    def __init__(
        self,
        db: Database,
        cluster: Cluster,
        kek: Kek,
        addresses: Addresses,
        databases: TenantDatabases,
    ) -> None:
        self._db, self._cluster, self._kek = db, cluster, kek
        self._addresses, self._databases = addresses, databases

    async def create(self, name: str) -> store.TenantRow:
        """A new tenant with its own database, ready for use. Raises TenantNameTaken."""
        tenant, database, password = TenantId(new_id()), names.database_name(), names.password()
        keys = seal_password(self._kek, tenant, password)
        adding = spawn(self._add(tenant, name, database, keys), "directory row of a tenant")
        try:
            await asyncio.shield(adding)
            await provision.create(self._cluster, database, tenant, names.verifier(password))
            version = await template.version_of(self._cluster, database, names.owner_of(database))
            await self._announce(tenant, version)
        except TenantNameTaken:
            raise
        except BaseException:
            await asyncio.shield(self._undo_quietly(tenant, adding))
            raise
        return await self.find(tenant)

    async def find(self, tenant: TenantId) -> store.TenantRow:
        """Raises NotFound."""
        async with self._db.read() as session:
            row = await store.find(session, tenant)
        if row is None or row.state == "provisioning":
            raise NotFound("no such tenant")
        return row

    async def existing(self) -> list[store.TenantRow]:
        async with self._db.read() as session:
            return await store.existing(session)

    async def check_key(self) -> None:
        """Open one tenant's sealed password; raises SealBroken under a wrong KEK."""
        if rows := await self.existing():
            unseal_password(self._kek, rows[0])

    async def suspend(self, tenant: TenantId) -> store.TenantRow:
        """No session any more, on any path; may be repeated."""
        await self.find(tenant)
        async with self._db.write() as session:
            if await store.change_state(session, tenant, ["active"], "suspended"):
                await outbox.add(session, TenantSuspended(tenant=tenant))
        self._addresses.forget(tenant)
        await self._databases.drain(tenant)
        await self._apply(tenant)
        return await self.find(tenant)

    async def resume(self, tenant: TenantId) -> store.TenantRow:
        """Usable again; may be repeated."""
        await self.find(tenant)
        async with self._db.write() as session:
            if await store.change_state(session, tenant, ["suspended"], "active"):
                await outbox.add(session, TenantResumed(tenant=tenant))
        await self._apply(tenant)
        self._addresses.forget(tenant)
        return await self.find(tenant)

    async def sweep(self) -> None:
        """Undo makings that were cut short."""
        async with self._db.read() as session:
            found = await store.unfinished(session, clock.now() - _UNFINISHED_AFTER)
        await each(found, self._undo, "half-made tenants")

    async def apply_pending(self) -> None:
        """Have the roles follow where a suspension or its end was cut short."""
        async with self._db.read() as session:
            found = await store.unapplied(session)
        await each(found, self._apply, "suspensions")

    async def _apply(self, tenant: TenantId) -> None:
        """The role follows the state that the directory has now, whoever changed it last."""
        async with self._db.write() as session:
            row = await store.lock(session, tenant)
            if row is None:
                return
            follow = provision.lock_out if row.state == "suspended" else provision.let_in
            await follow(self._cluster, row.database)
            await store.set_applied(session, tenant)

    async def _announce(self, tenant: TenantId, version: int) -> None:
        async with self._db.write() as session:
            await store.set_version(session, tenant, 0, version)
            if not await store.change_state(session, tenant, ["provisioning"], "active"):
                raise Conflict("the tenant was removed while it was being made")
            await outbox.add(session, TenantCreated(tenant=tenant))

    async def _undo(self, tenant: TenantId) -> None:
        """Drop what was made, then the row, unless the tenant has become active after all."""
        async with self._db.write() as session:
            database = await store.lock_unfinished(session, tenant)
            if database is not None:
                await provision.drop(self._cluster, database)
                await store.remove(session, tenant)

    async def _add(
        self, tenant: TenantId, name: str, database: str, keys: tuple[bytes, bytes]
    ) -> None:
        """Never cut off in the middle: whoever undoes has to know whether there is a row."""
        async with self._db.write() as session:
            if not await store.add(session, tenant, name, database, keys):
                raise TenantNameTaken

    async def _undo_quietly(self, tenant: TenantId, adding: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait({adding})
            await self._undo(tenant)
        except Exception as error:
            extra = {"tenant": str(tenant), "error": type(error).__name__}
            _log.warning("half-made tenant is left to the sweep", **extra)
