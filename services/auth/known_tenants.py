"""Which tenants there are: the list of tenants says so; notices only have it asked for sooner."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from contracts.clients import TenantEntry
from contracts.ids import TenantId
from kit.db import Database, WriteSession
from kit.problems import DependencyDown, NotFound
from services.auth.store import tenants

ListTenants = Callable[[], Awaitable[Sequence[TenantEntry]]]


class KnownTenants:
    """`list_tenants` is TenantsClient.tenants.

    When news was learnt is read from the database's clock: of two replicas with clocks of their
    own, one would go on believing what the other has long known better.
    """

    def __init__(self, db: Database, list_tenants: ListTenants) -> None:
        self._db, self._list_tenants = db, list_tenants
        self._known: frozenset[TenantId] = frozenset()
        self._one_at_a_time, self._begun, self._is_done = asyncio.Lock(), 0, False

    def is_known(self, tenant: TenantId) -> bool:
        """Whether auth knew it at the last `load`: news of a few seconds ago may be missing.

        From memory on purpose: a look-up would cost a connection before there is a seat for the
        caller, and would tell by its time which tenants there are.
        """
        return tenant in self._known

    async def load(self) -> None:
        async with self._db.read() as session:
            self._known = frozenset(await tenants.open_ones(session))

    async def sweep(self) -> None:
        """Take over the whole list; news that comes while it is asked for stays.

        All who ask while one is under way share the next one, and what becomes of it.
        """
        begun_before = self._begun
        async with self._one_at_a_time:
            if self._begun == begun_before:
                self._begun, self._is_done = self._begun + 1, False
                await self._sweep()
                self._is_done = True
            elif not self._is_done:
                raise DependencyDown("the list of tenants could not be had")

    async def suspend(self, session: WriteSession, tenant: TenantId) -> None:
        """Close a tenant until a list that is asked for later opens it."""
        await tenants.set_state(session, tenant, "suspended", await tenants.present(session))

    async def check_open(self, tenant: TenantId) -> None:
        """NotFound unless the tenant is open; a tenant never heard of is asked for first."""
        if await self._state(tenant) is None:
            await self.sweep()
        if await self._state(tenant) not in {"active", "suspended"}:
            raise NotFound("there is no such tenant")

    async def _sweep(self) -> None:
        async with self._db.write() as session:
            await tenants.only_sweeper(session)
            asked_at = await tenants.present(session)
            states = {entry.id: entry.state for entry in await self._list_tenants()}
            await tenants.set_all(session, states, asked_at)
        await self.load()

    async def _state(self, tenant: TenantId) -> str | None:
        async with self._db.read() as session:
            return await tenants.state(session, tenant)
