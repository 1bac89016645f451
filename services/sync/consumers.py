"""What sync does when others tell it something: it looks, sooner than the sweep would have.

No notice decides anything: what changed is asked for, so one that comes late, twice or before an
older one has no other effect than a look.
"""

from collections.abc import Callable

from contracts.events import (
    DatabaseSwapped,
    FieldChoiceChanged,
    JournalAdvanced,
    TenantResumed,
    TenantSuspended,
)
from contracts.ids import ConnectionId, TenantId
from kit.consuming import Handlers
from kit.db import WriteSession
from services.sync.store import connections


def handlers(
    wake: Callable[[TenantId, ConnectionId], None], look_at_tenants: Callable[[], None]
) -> Handlers:
    """The table. `wake` has a connection's feed read, which says itself where it starts over;
    `look_at_tenants` has the directory read."""

    async def wake_tenant(
        session: WriteSession, notice: JournalAdvanced | DatabaseSwapped | FieldChoiceChanged
    ) -> None:
        for tenant, connection in await connections.pushable(session, TenantId(notice.tenant)):
            wake(tenant, connection)

    async def look(_session: WriteSession, _notice: TenantSuspended | TenantResumed) -> None:
        look_at_tenants()

    return {
        JournalAdvanced: wake_tenant,
        DatabaseSwapped: wake_tenant,
        FieldChoiceChanged: wake_tenant,
        TenantSuspended: look,
        TenantResumed: look,
    }
