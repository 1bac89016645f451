"""What auth does with the notices of others: they wake the look at the list of tenants, which alone
opens. A suspension closes at once as well: the list may be out of reach."""

from collections.abc import Callable
from typing import Any

from contracts.events import TenantCreated, TenantResumed, TenantSuspended
from contracts.ids import TenantId
from kit.consuming import Handlers
from kit.db import WriteSession
from services.auth.known_tenants import KnownTenants


def handlers(known: KnownTenants, look_now: Callable[[], None]) -> Handlers:
    """The table of notices; `look_now` wakes the sweep."""

    async def wake(_session: WriteSession, _notice: Any) -> None:
        look_now()

    async def on_suspended(session: WriteSession, notice: TenantSuspended) -> None:
        """Should it come late, the list opens the tenant again as soon as it can be had."""
        await known.suspend(session, TenantId(notice.tenant))
        look_now()

    return {
        TenantCreated: wake,
        TenantSuspended: on_suspended,
        TenantResumed: wake,
    }
