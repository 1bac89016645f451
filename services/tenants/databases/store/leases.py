"""SQL on leases."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update

from contracts.ids import LeaseId, TenantId
from kit.db import ReadSession, WriteSession
from services.tenants.databases.tables import lease

_OPEN = lease.c.ended_at.is_(None)


async def add(
    session: WriteSession,
    new: LeaseId,
    tenant: TenantId,
    purpose: str,
    role: str,
    database: str,
    ends_at: datetime,
) -> None:
    """Record the intent to make a lease, so that what is made is always found again."""
    values = {"id": new, "tenant": tenant, "purpose": purpose, "role": role}
    await session.run(insert(lease).values(**values, database=database, ends_at=ends_at))


async def find(session: ReadSession, tenant: TenantId, wanted: LeaseId) -> RowMapping | None:
    return await session.first(select(lease).where(lease.c.id == wanted, lease.c.tenant == tenant))


async def overdue(session: ReadSession, now: datetime) -> Sequence[RowMapping]:
    """Leases whose time is over and whose role may still exist."""
    return await session.all(select(lease).where(_OPEN, lease.c.ends_at < now))


async def open_on(session: ReadSession, database: str) -> Sequence[RowMapping]:
    return await session.all(select(lease).where(_OPEN, lease.c.database == database))


async def set_ended(session: WriteSession, wanted: LeaseId, now: datetime) -> None:
    await session.run(update(lease).where(lease.c.id == wanted, _OPEN).values(ended_at=now))
