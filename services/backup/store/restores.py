"""Restores: a plan that was shown, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from contracts.ids import BackupId, RestoreId, TenantId, UserId
from kit import telemetry
from kit.db import ReadSession, WriteSession
from services.backup.store.run_queue import RunQueue
from services.backup.store.turns import FencedSession
from services.backup.tables import restore as table

RestoreState = Literal["planned", "queued", "running", "swapping", "completed", "failed", "expired"]

_LIST_LIMIT = 100


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """A restore with what was shown before it was executed."""

    restore: RestoreId
    backup: BackupId
    state: RestoreState
    reason: str | None
    plan: dict[str, Any]
    planned_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """A restore to be carried out, or to be finished where `is_swapping`; `target` once named."""

    tenant: TenantId
    restore: RestoreId
    backup: BackupId
    target: str | None
    is_swapping: bool
    trace: str = ""


def _job(row: RowMapping) -> RestoreJob:
    return RestoreJob(
        TenantId(row["tenant"]),
        RestoreId(row["restore"]),
        BackupId(row["backup"]),
        row["target"],
        row["state"] == "swapping",
        row["trace"],
    )


RESTORES = RunQueue(table, _job, open_states=("running", "swapping"))


class RestoreOpen(Exception):
    """Another restore of this tenant is queued or running."""


class PlansTooMany(Exception):
    """The tenant has as many open plans as it may have."""


async def require_room(session: ReadSession, tenant: TenantId, since: datetime, most: int) -> None:
    """PlansTooMany where `most` plans, made after `since`, wait to be executed."""
    open_plans = (table.c.state == "planned", table.c.planned_at > since)
    statement = select(func.count()).where(table.c.tenant == tenant, *open_plans)
    if await session.scalar(statement) >= most:
        raise PlansTooMany


async def add(
    session: WriteSession,
    restore: RestoreId,
    tenant: TenantId,
    backup: BackupId,
    plan: dict[str, Any],
    user: UserId,
) -> None:
    values = {
        "restore": restore,
        "tenant": tenant,
        "backup": backup,
        "plan": plan,
        "planned_by": user,
    }
    await session.run(insert(table).values(values))


async def find(session: ReadSession, tenant: TenantId, restore: UUID) -> RestoreRow | None:
    row = await session.first(_rows().where(table.c.tenant == tenant, table.c.restore == restore))
    return None if row is None else RestoreRow(**row)


async def newest(session: ReadSession, tenant: TenantId) -> list[RestoreRow]:
    of_tenant = _rows().where(table.c.tenant == tenant)
    rows = await session.all(of_tenant.order_by(table.c.restore.desc()).limit(_LIST_LIMIT))
    return [RestoreRow(**row) for row in rows]


async def queue(session: WriteSession, restore: RestoreId, user: UserId) -> bool:
    """Planned -> queued; False where it is not planned any more, RestoreOpen for a second one."""
    where = (table.c.restore == restore, table.c.state == "planned")
    values = {"state": "queued", "executed_by": user, "trace": telemetry.sampled_trace()}
    try:
        return await session.run(update(table).where(*where).values(values)) == 1
    except IntegrityError:
        raise RestoreOpen from None


async def aim(session: FencedSession, restore: RestoreId, target: str) -> None:
    """Name the database that is being filled."""
    await _set(session, restore, {"target": target})


async def begin_swap(session: FencedSession, restore: RestoreId) -> None:
    """From here on the tenant may already have the restored database."""
    await _set(session, restore, {"state": "swapping"})


async def complete(session: FencedSession, restore: RestoreId, now: datetime) -> None:
    await _set(session, restore, {"state": "completed", "reason": None, "finished_at": now})


async def fail(session: FencedSession, restore: RestoreId, reason: str, now: datetime) -> None:
    """The tenant is as it was."""
    await _set(session, restore, {"state": "failed", "reason": reason, "finished_at": now})


async def expire(session: WriteSession, before: datetime, most: int) -> int:
    """End plans from before this moment that were not executed; returns how many."""
    old = _oldest(("planned",), before, most)
    return await session.run(update(table).where(table.c.restore.in_(old)).values(state="expired"))


async def forget_plans(session: WriteSession, before: datetime, most: int) -> int:
    """Delete plans of before this moment that were never executed; returns how many."""
    old = _oldest(("expired",), before, most)
    return await session.run(delete(table).where(table.c.restore.in_(old)))


async def forget_ended(session: WriteSession, before: datetime, most: int) -> int:
    """Delete restores of before this moment that have ended; returns how many."""
    old = _oldest(("completed", "failed"), before, most)
    return await session.run(delete(table).where(table.c.restore.in_(old)))


def _rows() -> Select[tuple[object, ...]]:
    return select(*(table.c[name].label(name) for name in RestoreRow.__slots__))


def _oldest(states: Sequence[str], before: datetime, most: int) -> Select[tuple[UUID]]:
    where = (table.c.state.in_(states), table.c.planned_at < before)
    return select(table.c.restore).where(*where).limit(most).with_for_update(skip_locked=True)


async def _set(session: FencedSession, restore: RestoreId, values: dict[str, object]) -> None:
    await session.run(update(table).where(table.c.restore == restore).values(values))
