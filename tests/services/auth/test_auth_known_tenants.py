"""Which tenants auth knows: notices are quick, the sweep makes lost ones harmless."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.events import TenantCreated, TenantResumed, TenantSuspended
from contracts.ids import TenantId
from kit.http import parts_of
from kit.notice import Notice
from kit.problems import DependencyDown, NotFound
from services.auth.known_tenants import KnownTenants
from services.auth.parts import AuthParts
from services.auth.store import tenants
from tests.eventually import eventually
from tests.services.auth.running_auth import Auth


async def state(auth: Auth, tenant: UUID) -> Any:
    async with auth.db.read() as session:
        return await tenants.state(session, TenantId(tenant))


async def tell(auth: Auth, notice: Notice) -> None:
    await auth.broker.publish(notice.to_message(source="/tenants"))


async def becomes(auth: Auth, tenant: UUID, expected: str) -> None:
    async def is_so() -> bool:
        return bool(await state(auth, tenant) == expected)

    await eventually(is_so)


async def test_a_notice_has_the_list_asked_for_at_once(auth: Auth) -> None:
    tenant = TenantId(uuid4())
    for notice, listed in (
        (TenantCreated(tenant=tenant), "active"),
        (TenantSuspended(tenant=tenant), "suspended"),
        (TenantResumed(tenant=tenant), "active"),
    ):
        auth.directory[tenant] = listed
        await tell(auth, notice)
        await becomes(auth, tenant, listed)


async def test_notices_in_the_wrong_order_open_nothing_that_the_list_says_is_closed(
    auth: Auth,
) -> None:
    tenant, other = TenantId(uuid4()), TenantId(uuid4())
    auth.directory = {tenant: "suspended", other: "active"}
    await tell(auth, TenantSuspended(tenant=tenant))
    await tell(auth, TenantResumed(tenant=tenant))
    await tell(auth, TenantCreated(tenant=other))  # comes after both
    await becomes(auth, other, "active")
    assert await state(auth, tenant) == "suspended"


async def test_an_older_list_that_comes_late_opens_nothing(auth: Auth) -> None:
    """It was asked for after the first word of the suspension, and before the second."""
    tenant, first = TenantId(uuid4()), auth.clock()
    async with auth.db.write() as session:
        await tenants.set_state(session, tenant, "suspended", first)
        await tenants.set_state(session, tenant, "suspended", first + timedelta(seconds=2))
        await tenants.set_all(session, {tenant: "active"}, first + timedelta(seconds=1))
    assert await state(auth, tenant) == "suspended"
    async with auth.db.write() as session:
        await tenants.set_all(session, {tenant: "suspended"}, first + timedelta(seconds=4))
        await tenants.set_all(session, {tenant: "active"}, first + timedelta(seconds=3))
    assert await state(auth, tenant) == "suspended"


async def test_a_suspension_closes_though_the_list_cannot_be_had(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    auth.is_alone = True
    await tell(auth, TenantSuspended(tenant=tenant))
    await becomes(auth, tenant, "suspended")


async def test_the_sweep_heals_lost_notices(auth: Auth) -> None:
    new, suspended, closed = uuid4(), uuid4(), uuid4()
    auth.directory = {suspended: "active", closed: "active"}
    await auth.sweep()
    auth.directory = {suspended: "suspended", new: "active"}
    await auth.sweep()
    states = [await state(auth, tenant) for tenant in (new, suspended, closed)]
    assert states == ["active", "suspended", "closed"]


async def test_news_that_come_during_a_sweep_stay(auth: Auth) -> None:
    """The list was read before a tenant was made and another suspended; it is older news."""
    made, suspended = uuid4(), uuid4()
    auth.directory = {suspended: "active"}
    await auth.sweep()
    async with auth.db.write() as session:
        later = auth.clock() + timedelta(seconds=1)
        await tenants.set_state(session, TenantId(made), "active", later)
        await tenants.set_state(session, TenantId(suspended), "suspended", later)
    await auth.sweep()
    assert [await state(auth, one) for one in (made, suspended)] == ["active", "suspended"]


async def test_a_closed_tenant_lets_nobody_in(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    auth.directory.clear()
    await auth.sweep()
    assert (await auth.login("ada@a.example", tenant=tenant)).status_code == 403


class Directories:
    """A list of tenants that answers when it is let go, and counts how often it was asked."""

    def __init__(self, auth: Auth) -> None:
        self.asked, self.go_on, self.fails = 0, asyncio.Event(), False
        self.directory = KnownTenants(auth.db, self._list)
        self._auth = auth

    async def _list(self) -> Any:
        self.asked += 1
        known = await self._auth.list_tenants()
        await self.go_on.wait()
        if self.fails:
            raise DependencyDown
        return known


async def test_who_ask_while_a_list_is_read_share_the_next_one(auth: Auth) -> None:
    """Not the one under way: it may be older than the tenant that they ask for."""
    lists, made = Directories(auth), TenantId(uuid4())
    first = asyncio.create_task(lists.directory.sweep())
    await eventually(lambda: lists.asked == 1)
    auth.directory[made] = "active"
    crowd = [asyncio.create_task(lists.directory.sweep()) for _ in range(30)]
    await asyncio.sleep(0)
    lists.go_on.set()
    await asyncio.gather(first, *crowd)
    assert lists.asked == 2
    await lists.directory.check_open(made)
    assert lists.asked == 2, "it is known now"
    with pytest.raises(NotFound):
        await lists.directory.check_open(TenantId(uuid4()))
    assert lists.asked == 3


async def test_a_list_that_cannot_be_had_fails_all_who_wait_for_it_once(auth: Auth) -> None:
    lists = Directories(auth)
    lists.fails = True
    crowd = [asyncio.create_task(lists.directory.sweep()) for _ in range(10)]
    await eventually(lambda: lists.asked == 1)
    lists.go_on.set()
    found = await asyncio.gather(*crowd, return_exceptions=True)
    assert [type(one) for one in found] == [DependencyDown] * 10
    assert lists.asked == 2
    lists.fails = False
    await lists.directory.sweep()
    assert lists.asked == 3


async def test_a_sweep_that_is_cancelled_is_not_taken_for_done(auth: Auth) -> None:
    lists = Directories(auth)
    first = asyncio.create_task(lists.directory.sweep())
    await eventually(lambda: lists.asked == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    lists.go_on.set()
    await lists.directory.sweep()
    assert lists.asked == 2


async def test_a_tenant_queues_for_itself_until_it_is_closed(auth: Auth) -> None:
    directory = parts_of(auth.app, AuthParts).known_tenants
    active, suspended, closed = TenantId(uuid4()), TenantId(uuid4()), TenantId(uuid4())
    auth.directory = {active: "active", suspended: "suspended", closed: "active"}
    await auth.sweep()
    del auth.directory[closed]
    await auth.sweep()
    known = [directory.is_known(one) for one in (active, suspended, closed, TenantId(uuid4()))]
    assert known == [True, True, False, False]


async def test_what_another_process_has_learnt_is_known_after_the_next_load(auth: Auth) -> None:
    tenant, directory = TenantId(uuid4()), parts_of(auth.app, AuthParts).known_tenants
    async with auth.db.write() as session:
        await tenants.set_state(session, tenant, "active", auth.clock())
    await directory.load()
    assert directory.is_known(tenant)


async def test_a_list_of_any_length_is_taken_over_at_once(auth: Auth) -> None:
    """Longer than a statement has parameters, in two statements and not one for each tenant."""
    ids = [uuid4() for _ in range(40_000)]
    auth.directory = dict.fromkeys(ids, "active")
    await auth.sweep()
    auth.directory = {ids[0]: "suspended"}
    await auth.sweep()
    assert await state(auth, ids[0]) == "suspended"
    assert await state(auth, ids[-1]) == "closed"


async def test_older_news_of_a_tenant_changes_nothing(auth: Auth) -> None:
    tenant, now = TenantId(uuid4()), auth.clock()
    for state, at, expected in (
        ("active", now, "active"),
        ("suspended", now, "active"),
        ("suspended", now - timedelta(microseconds=1), "active"),
        ("suspended", now + timedelta(microseconds=1), "suspended"),
        ("active", now, "suspended"),
    ):
        async with auth.db.write() as session:
            await tenants.set_state(session, tenant, state, at)
            assert await tenants.state(session, tenant) == expected
