"""What auth does with the notices of others."""

from contracts.events import TenantCreated, TenantResumed, TenantSuspended
from contracts.ids import TenantId
from kit import clock
from kit.consuming import Handlers
from kit.db import WriteSession
from services.auth.store import tenants


async def on_open(session: WriteSession, notice: TenantCreated | TenantResumed) -> None:
    await tenants.set_state(session, TenantId(notice.tenant), "active", clock.now())


async def on_suspended(session: WriteSession, notice: TenantSuspended) -> None:
    await tenants.set_state(session, TenantId(notice.tenant), "suspended", clock.now())


HANDLERS: Handlers = {
    TenantCreated: on_open,
    TenantSuspended: on_suspended,
    TenantResumed: on_open,
}
