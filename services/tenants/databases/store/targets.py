"""SQL on restore targets, swaps and databases set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import RowMapping, Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import RestoreId, TenantId
from kit.db import ReadSession, WriteSession
from services.tenants.databases.tables import restore_target
from services.tenants.databases.tables import tenant as tenants

_T = restore_target.c


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """A restore's database; `name` is the tenant's own, `aside` what that one will be called."""

    tenant: TenantId
    restore: RestoreId
    database: str
    state: Literal["open", "swapping", "swapped"]
    aside: str | None
    name: str


async def add(session: WriteSession, tenant: TenantId, restore: RestoreId, database: str) -> None:
    """Record the intent to make a target; nothing happens where the restore has one."""
    values = {"tenant": tenant, "restore": restore, "database": database, "state": "open"}
    await session.run(insert(restore_target).values(**values).on_conflict_do_nothing())


async def find(session: ReadSession, tenant: TenantId, restore: RestoreId) -> RestoreTarget | None:
    row = await session.first(_targets().where(_T.tenant == tenant, _T.restore == restore))
    return _target(row)


async def find_database(
    session: ReadSession, tenant: TenantId, database: str
) -> RestoreTarget | None:
    row = await session.first(_targets().where(_T.tenant == tenant, _T.database == database))
    return _target(row)


async def begin_swap(
    session: WriteSession, tenant: TenantId, restore: RestoreId, aside: str, version: int
) -> bool:
    """Decide the swap of a database that was prepared for this version of the template.

    False where another one of this tenant is under way.
    """
    await session.run(select(tenants.c.id).where(tenants.c.id == tenant).with_for_update())
    busy = select(_T.restore).where(
        _T.tenant == tenant, _T.state == "swapping", _T.restore != restore
    )
    if await session.first(busy) is not None:
        return False
    statement = update(restore_target).where(
        _T.tenant == tenant, _T.restore == restore, _T.state == "open"
    )
    await session.run(statement.values(state="swapping", aside=aside, schema_version=version))
    return True


async def swapping(session: ReadSession) -> list[tuple[TenantId, RestoreId]]:
    """Swaps that are decided and not finished."""
    rows = await session.all(select(_T.tenant, _T.restore).where(_T.state == "swapping"))
    return [(TenantId(row["tenant"]), RestoreId(row["restore"])) for row in rows]


async def lock_swap(
    session: WriteSession, tenant: TenantId, restore: RestoreId
) -> RestoreTarget | None:
    """A swap that is under way, held until the commit so that only one process works on it."""
    statement = _targets().where(_T.tenant == tenant, _T.restore == restore, _T.state == "swapping")
    return _target(await session.first(statement.with_for_update(of=restore_target)))


async def finish_swap(
    session: WriteSession, tenant: TenantId, restore: RestoreId, drop_aside_at: datetime
) -> None:
    statement = update(restore_target).where(_T.tenant == tenant, _T.restore == restore)
    await session.run(statement.values(state="swapped", drop_aside_at=drop_aside_at))


async def surplus_asides(
    session: WriteSession, tenant: TenantId, now: datetime, keep: int
) -> Sequence[str]:
    """Databases set aside beyond the newest `keep` of a tenant; their time is over now."""
    kept = select(_T.aside).where(_T.tenant == tenant, _T.drop_aside_at.is_not(None))
    kept = kept.order_by(_T.drop_aside_at.desc()).limit(keep)
    older = update(restore_target).where(
        _T.tenant == tenant, _T.drop_aside_at.is_not(None), _T.aside.not_in(kept)
    )
    rows = await session.all(older.values(drop_aside_at=now).returning(_T.aside))
    return [row["aside"] for row in rows]


async def asides_due(session: ReadSession, now: datetime) -> Sequence[str]:
    """Databases set aside whose time is over."""
    rows = await session.all(select(_T.aside).where(_T.drop_aside_at < now))
    return [row["aside"] for row in rows]


async def aside_dropped(session: WriteSession, aside: str) -> None:
    await session.run(update(restore_target).where(_T.aside == aside).values(drop_aside_at=None))


async def forgotten(session: ReadSession, older_than: datetime) -> list[RestoreTarget]:
    """Targets that nobody has swapped in or dropped."""
    rows = await session.all(_targets().where(_T.state == "open", _T.created_at < older_than))
    return [target for row in rows if (target := _target(row))]


async def remove(session: WriteSession, database: str) -> None:
    await session.run(delete(restore_target).where(_T.database == database, _T.state == "open"))


def _targets() -> Select[tuple[object, ...]]:
    columns = (_T.tenant, _T.restore, _T.database, _T.state, _T.aside)
    return select(*columns, tenants.c.database.label("name")).join(
        tenants, tenants.c.id == _T.tenant
    )


def _target(row: RowMapping | None) -> RestoreTarget | None:
    if row is None:
        return None
    values = dict(row)
    return RestoreTarget(**values)
