"""The tenants that are to be backed up, and until when each is covered."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.backup.store.turns import FencedSession
from services.backup.tables import tenant as table


@dataclass(frozen=True, slots=True)
class Coverage:
    """Until when a tenant is covered by a verified full, and what its daily ones wait for."""

    tenant: TenantId
    known_at: datetime
    covered_until: datetime | None
    retry_at: datetime | None


async def add(session: WriteSession, tenant: TenantId) -> None:
    """Remember a tenant; one that is known stays as it is."""
    await session.run(insert(table).values(tenant=tenant).on_conflict_do_nothing())


async def is_known(session: ReadSession, tenant: TenantId) -> bool:
    return await session.first(select(table).where(table.c.tenant == tenant)) is not None


async def hold(session: WriteSession, tenant: TenantId) -> None:
    """Others who hold the tenant wait until the session ends."""
    await session.first(select(table).where(table.c.tenant == tenant).with_for_update())


async def known(session: ReadSession) -> list[TenantId]:
    rows = await session.all(select(table.c.tenant).order_by(table.c.tenant))
    return [TenantId(row["tenant"]) for row in rows]


async def coverage(session: ReadSession) -> list[Coverage]:
    """Of every tenant that is known."""
    columns = (table.c[name] for name in Coverage.__slots__)
    rows = await session.all(select(*columns).order_by(table.c.tenant))
    return [Coverage(**row) for row in rows]


async def cover(session: FencedSession, tenant: TenantId, until: datetime, now: datetime) -> None:
    """A verified full exists: covered until its moment, and failures are forgotten.

    A moment of the future that stands there is unknown: the new one takes its place.
    """
    known = case((table.c.covered_until <= now, table.c.covered_until), else_=until)
    values = {"covered_until": func.greatest(known, until), "failures": 0, "retry_at": None}
    await session.run(update(table).where(table.c.tenant == tenant).values(values))


async def recover(session: FencedSession, tenant: TenantId, until: datetime | None) -> None:
    """A full is lost: covered until the newest of those that are left."""
    await session.run(update(table).where(table.c.tenant == tenant).values(covered_until=until))


async def measure(session: FencedSession, tenant: TenantId, vault_bytes: int) -> None:
    """What the tenant holds in the vault."""
    await session.run(update(table).where(table.c.tenant == tenant).values(vault_bytes=vault_bytes))


async def vault_bytes(session: ReadSession, tenant: TenantId) -> int:
    """As measured last; 0 for a tenant that is not known."""
    statement = select(table.c.vault_bytes).where(table.c.tenant == tenant)
    return int(await session.scalar(statement) or 0)


async def largest_vault_bytes(session: ReadSession) -> int:
    """What the tenant holds in the vault that holds most, as measured last."""
    return int(await session.scalar(select(func.max(table.c.vault_bytes))) or 0)


async def failures(session: ReadSession, tenant: TenantId) -> int:
    return int(await session.scalar(select(table.c.failures).where(table.c.tenant == tenant)))


async def postpone(
    session: FencedSession, tenant: TenantId, failures: int, retry_at: datetime
) -> None:
    """After a failure: no scheduled full before `retry_at`."""
    values = {"failures": failures, "retry_at": retry_at}
    await session.run(update(table).where(table.c.tenant == tenant).values(values))
