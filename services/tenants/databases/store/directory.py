"""SQL on the directory of tenants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import RowMapping, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.tenants.databases.tables import restore_target, tenant

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
    session: WriteSession, new: TenantId, name: str, database: str, keys: tuple[bytes, bytes]
) -> bool:
    """Record the intent to make a tenant; False where the name is taken."""
    statement = insert(tenant).values(
        id=new,
        name=name,
        state="provisioning",
        database=database,
        wrapped_key=keys[0],
        sealed_password=keys[1],
    )
    return await session.run(statement.on_conflict_do_nothing(index_elements=["name"])) == 1


async def find(session: ReadSession, wanted: TenantId) -> TenantRow | None:
    row = await session.first(_tenants().where(tenant.c.id == wanted))
    return None if row is None else _tenant(row)


async def existing(session: ReadSession) -> list[TenantRow]:
    """All tenants whose database is complete, oldest first."""
    statement = _tenants().where(tenant.c.state != "provisioning").order_by(tenant.c.id)
    return [_tenant(row) for row in await session.all(statement)]


async def change_state(
    session: WriteSession, wanted: TenantId, before: Sequence[State], after: State
) -> bool:
    """True where the tenant was in one of the states `before` and is now in `after`.

    Its role has yet to follow: see `lock` and `set_applied`.
    """
    statement = update(tenant).where(tenant.c.id == wanted, tenant.c.state.in_(before))
    return await session.run(statement.values(state=after, is_applied=False)) == 1


async def lock(session: WriteSession, wanted: TenantId) -> TenantRow | None:
    """The row as it is now; nobody changes its state until the commit."""
    statement = _tenants().where(tenant.c.id == wanted, tenant.c.state != "provisioning")
    row = await session.first(statement.with_for_update(of=tenant))
    return None if row is None else _tenant(row)


async def set_applied(session: WriteSession, wanted: TenantId) -> None:
    await session.run(update(tenant).where(tenant.c.id == wanted).values(is_applied=True))


async def behind(session: ReadSession, version: int) -> list[TenantId]:
    """Tenants whose database is not known to have this version of the template."""
    statement = select(tenant.c.id).where(
        tenant.c.state != "provisioning", tenant.c.schema_version < version
    )
    return [TenantId(row["id"]) for row in await session.all(statement.order_by(tenant.c.id))]


async def set_version(session: WriteSession, wanted: TenantId, before: int, after: int) -> None:
    """Nothing happens where a swap has brought another database meanwhile."""
    statement = update(tenant).where(tenant.c.id == wanted, tenant.c.schema_version == before)
    await session.run(statement.values(schema_version=after))


async def unapplied(session: ReadSession) -> list[TenantId]:
    """Tenants whose role may not have followed their state yet."""
    statement = select(tenant.c.id).where(
        tenant.c.state != "provisioning", tenant.c.is_applied.is_(False)
    )
    return [TenantId(row["id"]) for row in await session.all(statement)]


async def unfinished(session: ReadSession, older_than: datetime) -> list[TenantId]:
    """Tenants whose making was cut short."""
    statement = select(tenant.c.id).where(
        tenant.c.state == "provisioning", tenant.c.created_at < older_than
    )
    return [TenantId(row["id"]) for row in await session.all(statement)]


async def lock_unfinished(session: WriteSession, wanted: TenantId) -> str | None:
    """The database name of a tenant that is still being made, held until the commit."""
    statement = select(tenant.c.database).where(
        tenant.c.id == wanted, tenant.c.state == "provisioning"
    )
    name: str | None = await session.scalar(statement.with_for_update())
    return name


async def remove(session: WriteSession, wanted: TenantId) -> None:
    await session.run(delete(tenant).where(tenant.c.id == wanted))


def _tenants() -> Select[tuple[object, ...]]:
    swapping = select(func.count()).where(
        restore_target.c.tenant == tenant.c.id, restore_target.c.state == "swapping"
    )
    return select(*tenant.c, (swapping.scalar_subquery() > 0).label("is_swapping"))


def _tenant(row: RowMapping) -> TenantRow:
    values = dict(row)
    return TenantRow(**values)
