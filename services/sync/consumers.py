"""What sync does when others tell it something; each effect is also reached by the sweep."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

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
from kit.notice import Notice
from services.sync.store import connections

Wake = Callable[[TenantId, ConnectionId], None]


async def push_soon(wake: Wake, session: WriteSession, notice: JournalAdvanced) -> None:
    await _wake_all(wake, session, TenantId(notice.tenant))


async def read_all_again(wake: Wake, session: WriteSession, notice: DatabaseSwapped) -> None:
    await connections.start_over(session, TenantId(notice.tenant))
    await _wake_all(wake, session, TenantId(notice.tenant))


async def read_connection_again(
    wake: Wake, session: WriteSession, notice: FieldChoiceChanged
) -> None:
    tenant, id_ = TenantId(notice.tenant), ConnectionId(notice.connection)
    await connections.start_over(session, tenant, id_)
    wake(tenant, id_)


async def stop_tenant(_wake: Wake, session: WriteSession, notice: TenantSuspended) -> None:
    await connections.set_suspended(session, TenantId(notice.tenant), suspended=True)


async def resume_tenant(wake: Wake, session: WriteSession, notice: TenantResumed) -> None:
    await connections.set_suspended(session, TenantId(notice.tenant), suspended=False)
    await _wake_all(wake, session, TenantId(notice.tenant))


async def _wake_all(wake: Wake, session: WriteSession, tenant: TenantId) -> None:
    for owner, connection in await connections.pushable(session, tenant):
        wake(owner, connection)


def handlers(wake: Wake) -> Handlers:
    """The table, with the pusher's `wake` filled in."""
    return {kind: partial(handler, wake) for kind, handler in HANDLERS.items()}


HANDLERS: Mapping[type[Notice], Callable[[Wake, WriteSession, Any], Awaitable[None]]] = {
    JournalAdvanced: push_soon,
    DatabaseSwapped: read_all_again,
    FieldChoiceChanged: read_connection_again,
    TenantSuspended: stop_tenant,
    TenantResumed: resume_tenant,
}
