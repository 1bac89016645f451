"""Statements on tenants' wrapped keys."""

from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.sync.tables import tenant_key


async def newest(session: ReadSession, tenant: TenantId) -> RowMapping | None:
    return await session.first(
        select(tenant_key)
        .where(tenant_key.c.tenant == tenant)
        .order_by(tenant_key.c.version.desc())
        .limit(1)
    )


async def any_of_all(session: ReadSession) -> RowMapping | None:
    """The oldest tenant's key, or None where there is none yet."""
    return await session.first(select(tenant_key).order_by(tenant_key.c.tenant).limit(1))


async def get(session: ReadSession, tenant: TenantId, version: int) -> RowMapping | None:
    return await session.first(
        select(tenant_key).where(tenant_key.c.tenant == tenant, tenant_key.c.version == version)
    )


async def add_first(session: WriteSession, tenant: TenantId, wrapped: bytes) -> None:
    """Version 1, unless somebody else was first."""
    row = {"tenant": tenant, "version": 1, "wrapped": wrapped}
    await session.run(insert(tenant_key).values(row).on_conflict_do_nothing())
