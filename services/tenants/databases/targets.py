"""Restores of a tenant's database: an empty target, and the swap that can always be resumed."""

from datetime import timedelta

from contracts.events import DatabaseSwapped
from contracts.ids import RestoreId, TenantId
from kit import clock, logs, outbox
from kit.causes import DATABASE_AWAY
from kit.db import Database
from kit.problems import Conflict, DependencyDown, NotFound
from kit.timers import each
from services.tenants.databases.addresses import Addresses
from services.tenants.databases.leases import Leases
from services.tenants.databases.store import directory as tenants
from services.tenants.databases.store import targets as store
from services.tenants.problems import SwapRefused
from tenantdb import TenantDatabases, names, swap, template
from tenantdb.cluster import Cluster

KEEP_ASIDE = timedelta(days=7)
MOST_ASIDE = 2
"""Each is as large as the tenant: a third one takes the place of the oldest."""
FORGOTTEN_AFTER = timedelta(days=2)
_log = logs.get(__name__)


class RestoreTargets:
    """Makes targets, puts them in place of the tenant's database, drops what has had its time."""

    def __init__(
        self,
        db: Database,
        cluster: Cluster,
        leases: Leases,
        addresses: Addresses,
        databases: TenantDatabases,
    ) -> None:
        self._db, self._cluster, self._leases = db, cluster, leases
        self._addresses, self._databases = addresses, databases

    async def open(self, tenant: TenantId, restore_id: RestoreId) -> str:
        """The name of the restore's database, made empty; the same one when asked again."""
        async with self._db.write() as session:
            row = await tenants.find(session, tenant)
            if row is None or row.state == "provisioning":
                raise NotFound("no such tenant")
            await store.add(session, tenant, restore_id, names.target_name(row.database))
        target = await self._find(tenant, restore_id)
        if target.state != "open":
            raise Conflict("this restore is already in place")
        await swap.make_target(self._cluster, target.database, target.name)
        return target.database

    async def drop(self, tenant: TenantId, database: str) -> None:
        """Give up a target; may be repeated. A database that was swapped in is not a target."""
        async with self._db.read() as session:
            target = await store.find_database(session, tenant, database)
        if target is None:
            return
        if target.state != "open":
            raise Conflict("this restore is already in place")
        await self._drop(target)

    async def swap(self, tenant: TenantId, restore_id: RestoreId, database: str) -> None:
        """Put the restored database in the tenant's place; repeatable.

        What can fail for good is done first, while the tenant is served as before: SwapRefused.
        Then the decision is committed, and the tenant's sessions are refused with "try again"
        until the swap is complete, by this call or by `resume_swaps`.
        """
        target = await self._find(tenant, restore_id)
        if target.database != database:
            raise NotFound("no such restore target")
        if target.state == "open":
            version = template.version()
            await self._prepare(target)
            async with self._db.write() as session:
                aside = names.aside_name(target.name)
                if not await store.begin_swap(session, tenant, restore_id, aside, version):
                    raise SwapRefused
        await self._complete(tenant, restore_id)

    async def resume_swaps(self) -> None:
        """Complete swaps that were cut short."""
        async with self._db.read() as session:
            found = await store.swapping(session)
        await each(found, lambda swap: self._complete(*swap), "swaps")

    async def sweep(self) -> None:
        """Drop databases set aside whose time is over, and targets that nobody came back for."""
        now = clock.now()
        async with self._db.read() as session:
            asides = await store.asides_due(session, now)
            targets = await store.forgotten(session, now - FORGOTTEN_AFTER)
        await each(asides, self._drop_aside, "databases set aside")
        forgotten = {target.database: target for target in targets}
        await each(forgotten, lambda name: self._drop(forgotten[name]), "forgotten targets")

    async def _prepare(self, target: store.RestoreTarget) -> None:
        await self._leases.end_on(target.database)
        try:
            await swap.prepare(self._cluster, target.database, target.name, target.tenant)
        except Exception as error:
            if (await self._find(target.tenant, target.restore)).state != "open":
                return  # the same swap, asked for twice: the other call has gone ahead
            extra = {"tenant": str(target.tenant), "restore": str(target.restore)}
            _log.exception("swap not prepared", **extra)
            # asking again helps, as it does not for what the restored data holds
            if isinstance(error, (OSError, *DATABASE_AWAY)):
                raise DependencyDown from error
            raise SwapRefused("the restored database cannot be brought up to date") from error

    async def _complete(self, tenant: TenantId, restore_id: RestoreId) -> None:
        decided = await self._find(tenant, restore_id)
        if decided.state == "swapping":
            self._addresses.forget(tenant)
            await self._databases.drain(tenant)
            for database in (decided.database, decided.name):
                await self._leases.end_on(database)
        async with self._db.write() as session:
            due = await store.lock_swap(session, tenant, restore_id)
            if due is None or due.aside is None:
                return
            await swap.exchange(self._cluster, due.name, due.database, due.aside)
            now = clock.now()
            await store.finish_swap(session, tenant, restore_id, now + KEEP_ASIDE)
            surplus = await store.surplus_asides(session, tenant, now, MOST_ASIDE)
            await outbox.add(session, DatabaseSwapped(tenant=tenant, restore=restore_id))
        self._addresses.forget(tenant)
        await each(surplus, self._drop_aside, "surplus databases set aside")

    async def _drop_aside(self, aside: str) -> None:
        await self._cluster.drop_database(aside)
        async with self._db.write() as session:
            await store.aside_dropped(session, aside)

    async def _drop(self, target: store.RestoreTarget) -> None:
        await self._leases.end_on(target.database)
        await swap.drop_target(self._cluster, target.database)
        async with self._db.write() as session:
            await store.remove(session, target.database)

    async def _find(self, tenant: TenantId, restore_id: RestoreId) -> store.RestoreTarget:
        async with self._db.read() as session:
            target = await store.find(session, tenant, restore_id)
        if target is None:
            raise NotFound("no such restore target")
        return target
