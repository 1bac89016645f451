"""Statements on whose connections are suspended, as the directory says."""

from collections.abc import Sequence

from sqlalchemy import func, select, update

from contracts.ids import ConnectionId, TenantId
from kit.db import WriteSession
from kit.locks import lock
from services.sync.tables import connection

_LOOKING = lock("susp")


async def only_looker(session: WriteSession) -> None:
    """Until this transaction ends, nobody else copies the directory's word."""
    await session.run(select(func.pg_advisory_xact_lock(_LOOKING)))


async def suspend_all_but(session: WriteSession, active: Sequence[TenantId]) -> None:
    """Suspend the connections of all tenants that are not among these."""
    gone = (connection.c.tenant.not_in(active), connection.c.suspended.is_(False))
    await session.run(update(connection).where(*gone).values(suspended=True))


async def resume(
    session: WriteSession, active: Sequence[TenantId]
) -> list[tuple[TenantId, ConnectionId]]:
    """Take these tenants' suspension back; the connections that had been suspended."""
    back = (connection.c.tenant.in_(active), connection.c.suspended.is_(True))
    query = update(connection).where(*back).values(suspended=False)
    rows = await session.all(query.returning(connection.c.tenant, connection.c.id))
    return [(TenantId(row["tenant"]), ConnectionId(row["id"])) for row in rows]
