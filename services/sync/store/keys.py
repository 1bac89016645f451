"""Statements on tenants' wrapped keys."""

from dataclasses import dataclass, fields

from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.sync.tables import tenant_key


@dataclass(frozen=True, slots=True)
class TenantKeyRow:
    """A key of a tenant, wrapped by the key-encryption key."""

    tenant: TenantId
    version: int
    wrapped: bytes


_KEYS = select(*(tenant_key.c[one.name] for one in fields(TenantKeyRow)))


async def newest(session: ReadSession, tenant: TenantId) -> TenantKeyRow | None:
    query = _KEYS.where(tenant_key.c.tenant == tenant).order_by(tenant_key.c.version.desc())
    return _row(await session.first(query.limit(1)))


async def any_of_all(session: ReadSession) -> TenantKeyRow | None:
    """The oldest tenant's key, or None where there is none yet."""
    return _row(await session.first(_KEYS.order_by(tenant_key.c.tenant).limit(1)))


async def get(session: ReadSession, tenant: TenantId, version: int) -> TenantKeyRow | None:
    query = _KEYS.where(tenant_key.c.tenant == tenant, tenant_key.c.version == version)
    return _row(await session.first(query))


async def add_first(session: WriteSession, tenant: TenantId, wrapped: bytes) -> None:
    """Version 1, unless somebody else was first."""
    row = {"tenant": tenant, "version": 1, "wrapped": wrapped}
    await session.run(insert(tenant_key).values(row).on_conflict_do_nothing())


def _row(row: RowMapping | None) -> TenantKeyRow | None:
    return None if row is None else TenantKeyRow(**row)
