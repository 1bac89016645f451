"""SQL on the directory of tenants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import RowMapping, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.tenants.databases.tables import restore_target
from services.tenants.databases.tables import tenant as tenants

State = Literal["provisioning", "active", "suspended"]


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A row of the directory.

    `is_applied` once the role follows `state`; `is_swapping` while a restored database is being
    put in place; `schema_version` is what its database is known to have of the template.
    """

    id: TenantId
    name: str
    state: State
    database: str
    wrapped_key: bytes
    sealed_password: bytes
    is_applied: bool
    created_at: datetime
    schema_version: int
    is_swapping: bool


async def add(
    session: WriteSession, tenant: TenantId, name: str, database: str, keys: tuple[bytes, bytes]
) -> bool:
    """Record the intent to make a tenant; False where the name is taken."""
    statement = insert(tenants).values(
        id=tenant,
        name=name,
        state="provisioning",
        database=database,
        wrapped_key=keys[0],
        sealed_password=keys[1],
    )
    return await session.run(statement.on_conflict_do_nothing(index_elements=["name"])) == 1


async def find(session: ReadSession, tenant: TenantId) -> TenantRow | None:
    row = await session.first(_tenants().where(tenants.c.id == tenant))
    return None if row is None else _tenant(row)


async def existing(session: ReadSession) -> list[TenantRow]:
    """All tenants whose database is complete, oldest first."""
    statement = _tenants().where(tenants.c.state != "provisioning").order_by(tenants.c.id)
    return [_tenant(row) for row in await session.all(statement)]


async def change_state(
    session: WriteSession, tenant: TenantId, before: Sequence[State], after: State
) -> bool:
    """True where the tenant was in one of the states `before` and is now in `after`.

    Its role has yet to follow: see `lock` and `set_applied`.
    """
    statement = update(tenants).where(tenants.c.id == tenant, tenants.c.state.in_(before))
    return await session.run(statement.values(state=after, is_applied=False)) == 1


async def lock(session: WriteSession, tenant: TenantId) -> TenantRow | None:
    """The row as it is now; nobody changes its state until the commit."""
    statement = _tenants().where(tenants.c.id == tenant, tenants.c.state != "provisioning")
    row = await session.first(statement.with_for_update(of=tenants))
    return None if row is None else _tenant(row)


async def set_applied(session: WriteSession, tenant: TenantId) -> None:
    await session.run(update(tenants).where(tenants.c.id == tenant).values(is_applied=True))


async def behind(session: ReadSession, version: int) -> list[TenantId]:
    """Tenants whose database is not known to have this version of the template."""
    statement = select(tenants.c.id).where(
        tenants.c.state != "provisioning", tenants.c.schema_version < version
    )
    return [TenantId(row["id"]) for row in await session.all(statement.order_by(tenants.c.id))]


async def set_version(session: WriteSession, tenant: TenantId, before: int, after: int) -> None:
    """Nothing happens where a swap has brought another database meanwhile."""
    statement = update(tenants).where(tenants.c.id == tenant, tenants.c.schema_version == before)
    await session.run(statement.values(schema_version=after))


async def unapplied(session: ReadSession) -> list[TenantId]:
    """Tenants whose role may not have followed their state yet."""
    statement = select(tenants.c.id).where(
        tenants.c.state != "provisioning", tenants.c.is_applied.is_(False)
    )
    return [TenantId(row["id"]) for row in await session.all(statement)]


async def unfinished(session: ReadSession, older_than: datetime) -> list[TenantId]:
    """Tenants whose making was cut short."""
    statement = select(tenants.c.id).where(
        tenants.c.state == "provisioning", tenants.c.created_at < older_than
    )
    return [TenantId(row["id"]) for row in await session.all(statement)]


async def lock_unfinished(session: WriteSession, tenant: TenantId) -> str | None:
    """The database name of a tenant that is still being made, held until the commit."""
    statement = select(tenants.c.database).where(
        tenants.c.id == tenant, tenants.c.state == "provisioning"
    )
    name: str | None = await session.scalar(statement.with_for_update())
    return name


async def remove(session: WriteSession, tenant: TenantId) -> None:
    await session.run(delete(tenants).where(tenants.c.id == tenant))


def _tenants() -> Select[tuple[object, ...]]:
    swapping = select(func.count()).where(
        restore_target.c.tenant == tenants.c.id, restore_target.c.state == "swapping"
    )
    return select(*tenants.c, (swapping.scalar_subquery() > 0).label("is_swapping"))


def _tenant(row: RowMapping) -> TenantRow:
    values = dict(row)
    return TenantRow(**values)
