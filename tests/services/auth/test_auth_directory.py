"""Which tenants auth knows: notices are quick, the sweep makes lost ones harmless."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts.events import TenantCreated, TenantResumed, TenantSuspended
from contracts.ids import TenantId
from kit.notice import Notice
from services.auth.store import tenants
from tests.eventually import eventually
from tests.services.auth.running_auth import Auth


async def state(auth: Auth, tenant: UUID) -> Any:
    async with auth.db.read() as session:
        return await tenants.state(session, TenantId(tenant))


async def tell(auth: Auth, notice: Notice) -> None:
    await auth.broker.publish(notice.to_message(source="/tenants"))


async def test_notices_move_a_tenants_state(auth: Auth) -> None:
    tenant = uuid4()
    for notice, expected in (
        (TenantCreated(tenant=tenant), "active"),
        (TenantSuspended(tenant=tenant), "suspended"),
        (TenantResumed(tenant=tenant), "active"),
    ):
        await tell(auth, notice)

        async def arrived(expected: str = expected) -> bool:
            return bool(await state(auth, tenant) == expected)

        await eventually(arrived)


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
