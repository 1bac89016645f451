"""SQL on leases."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, insert, select, update

from contracts.ids import LeaseId, TenantId
from kit.db import ReadSession, WriteSession
from services.tenants.databases.tables import lease

_OPEN = lease.c.ended_at.is_(None)


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease that was granted: the role that was made for it, and for which database."""

    id: LeaseId
    role: str
    database: str
    ended_at: datetime | None


async def add(
    session: WriteSession,
    id_: LeaseId,
    tenant: TenantId,
    purpose: str,
    role: str,
    database: str,
    ends_at: datetime,
) -> None:
    """Record the intent to make a lease, so that what is made is always found again."""
    values = {"id": id_, "tenant": tenant, "purpose": purpose, "role": role}
    await session.run(insert(lease).values(**values, database=database, ends_at=ends_at))


async def find(session: ReadSession, tenant: TenantId, id_: LeaseId) -> LeaseRow | None:
    found = await _all(session, _leases().where(lease.c.id == id_, lease.c.tenant == tenant))
    return found[0] if found else None


async def overdue(session: ReadSession, now: datetime) -> list[LeaseRow]:
    """Leases whose time is over and whose role may still exist."""
    return await _all(session, _leases().where(_OPEN, lease.c.ends_at < now))


async def open_on(session: ReadSession, database: str) -> list[LeaseRow]:
    return await _all(session, _leases().where(_OPEN, lease.c.database == database))


async def set_ended(session: WriteSession, id_: LeaseId, now: datetime) -> None:
    await session.run(update(lease).where(lease.c.id == id_, _OPEN).values(ended_at=now))


def _leases() -> Select[tuple[object, ...]]:
    return select(lease.c.id, lease.c.role, lease.c.database, lease.c.ended_at)


async def _all(session: ReadSession, query: Select[tuple[object, ...]]) -> list[LeaseRow]:
    rows = await session.all(query)
    return [
        LeaseRow(LeaseId(row["id"]), row["role"], row["database"], row["ended_at"]) for row in rows
    ]
