"""Backups: the queue of fulls to take and the index of those that exist."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, exists, false, func, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import BackupId, TenantId, UserId, new_id
from kit import telemetry
from kit.db import ReadSession, WriteSession
from services.backup.failures import FailureReason
from services.backup.store.run_queue import RunQueue
from services.backup.store.turns import FencedSession
from services.backup.tables import backup as table
from services.backup.tables import restore
from services.backup.vault.comparison import Listed
from services.backup.vault.manifest import Manifest, Proof

BackupState = Literal["queued", "running", "verified", "failed", "expired", "broken", "missing"]
Cause = Literal["demand", "schedule", "found"]

_OPEN = ("queued", "running")
_THERE = ("verified", "broken", "missing")
_LIST_LIMIT = 100


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup as the index has it; `taken_at` is its moment, sizes are in bytes."""

    backup: BackupId
    state: BackupState
    cause: Cause
    reason: str | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    taken_at: datetime | None
    size_bytes: int | None
    row_count: int | None
    proved: Proof | None


@dataclass(frozen=True, slots=True)
class FullJob:
    """A full to be taken; `attempts` counts this one, too."""

    tenant: TenantId
    backup: BackupId
    attempts: int
    started_at: datetime
    trace: str = ""


def _job(row: RowMapping) -> FullJob:
    return FullJob(
        TenantId(row["tenant"]),
        BackupId(row["backup"]),
        row["attempts"],
        row["started_at"],
        row["trace"],
    )


FULLS = RunQueue(table, _job, at_claim={"attempts": table.c.attempts + 1})


async def ask(
    session: WriteSession,
    tenant: TenantId,
    cause: Literal["demand", "schedule"],
    user: UserId | None = None,
) -> BackupRow:
    """Queue a full; where one is queued or running already, that one is the answer."""
    asked = {"cause": cause, "requested_by": user, "trace": telemetry.sampled_trace()}
    values = {"backup": new_id(), "tenant": tenant, **asked}
    await session.run(insert(table).values(values).on_conflict_do_nothing())
    row = await session.first(_rows().where(table.c.tenant == tenant, table.c.state.in_(_OPEN)))
    if row is None:  # the one in our way has just finished
        return await ask(session, tenant, cause, user)
    return BackupRow(**row)


async def find(session: ReadSession, tenant: TenantId, backup: UUID) -> BackupRow | None:
    row = await session.first(_rows().where(table.c.tenant == tenant, table.c.backup == backup))
    return None if row is None else BackupRow(**row)


async def newest(session: ReadSession, tenant: TenantId, now: datetime) -> list[BackupRow]:
    """The newest hundred that have not expired, newest first; those of the future come last."""
    where = (table.c.tenant == tenant, table.c.state != "expired")
    order = (func.coalesce(table.c.taken_at > now, false()), table.c.backup.desc())
    rows = await session.all(_rows().where(*where).order_by(*order).limit(_LIST_LIMIT))
    return [BackupRow(**row) for row in rows]


async def complete(
    session: FencedSession,
    backup: BackupId,
    manifest: Manifest,
    now: datetime,
    proved: Proof = "archive",
) -> None:
    """A verified full of this manifest exists."""
    values = {
        "state": "verified",
        "reason": None,
        "finished_at": func.coalesce(table.c.finished_at, now),
        "checked_at": now,
        "taken_at": manifest.at,
        "size_bytes": manifest.size,
        "row_count": manifest.rows,
        "proved": proved,
    }
    await _set(session, [backup], values)


async def adopt(session: FencedSession, manifest: Manifest) -> None:
    """A row for a backup that only the vault knows of; its state is still to be set."""
    values = {
        "backup": manifest.backup,
        "tenant": manifest.tenant,
        "cause": "found",
        "state": "failed",
        "requested_at": manifest.at,
    }
    await session.run(insert(table).values(values).on_conflict_do_nothing())


async def listed(
    session: ReadSession, tenant: TenantId, found: Collection[BackupId]
) -> dict[UUID, Listed]:
    """What the index says of the backups that it takes to be there, and of those found."""
    there = table.c.state.in_(_THERE) | table.c.backup.in_(found)
    rows = await session.all(select(table).where(table.c.tenant == tenant, there))
    return {row["backup"]: _listed(row) for row in rows}


def _listed(row: RowMapping) -> Listed:
    refused = row["state"] == "broken" and row["reason"] == FailureReason.REFUSED
    state = "refused" if refused else row["state"]
    return Listed(state, row["taken_at"], row["checked_at"], row["base"])


async def lose(
    session: WriteSession, backup: BackupId, reason: FailureReason, now: datetime
) -> None:
    """It was taken to be there, and is missing or broken: the reason says which.

    Whoever comes upon it says so, also without the tenant's turn.
    """
    state = "missing" if reason is FailureReason.GONE else "broken"
    values = {"state": state, "reason": reason, "checked_at": now}
    where = (table.c.backup == backup, table.c.state.in_(_THERE))
    await session.run(update(table).where(*where).values(values))


async def read_again(session: FencedSession, tenant: TenantId, backup: BackupId) -> None:
    """Another copy has been put in the place of a broken one: queue its check."""
    other = table.alias()
    busy = exists().where(other.c.tenant == tenant, other.c.state.in_(_OPEN))
    where = (table.c.backup == backup, table.c.state == "broken", ~busy)
    values = {"state": "queued", "attempts": 0, "reason": None}
    await session.run(update(table).where(*where).values(values))


async def damaged(session: ReadSession) -> int:
    """How many backups that were there are broken or missing."""
    where = table.c.state.in_(("broken", "missing"))
    return int(await session.scalar(select(func.count()).select_from(table).where(where)))


async def fail(session: FencedSession, backup: BackupId, reason: str, now: datetime) -> None:
    await _set(session, [backup], {"state": "failed", "reason": reason, "finished_at": now})


async def requeue(session: FencedSession, backup: BackupId) -> None:
    """It was interrupted and is tried again."""
    await _set(session, [backup], {"state": "queued"})


async def prove(session: FencedSession, backup: BackupId, proof: Proof) -> None:
    await _set(session, [backup], {"proved": proof})


async def expire(session: FencedSession, backups: Sequence[BackupId]) -> None:
    await _set(session, backups, {"state": "expired"})


async def forget(session: WriteSession, before: datetime, most: int) -> int:
    """Delete rows of before this moment whose backup is gone or never was; returns how many."""
    hanging = table.alias()
    states = ("failed", "expired", "missing")
    gone = (table.c.state.in_(states), table.c.requested_at < before)
    unused = ~exists().where(restore.c.backup == table.c.backup)
    alone = ~exists().where(hanging.c.base == table.c.backup)
    old = select(table.c.backup).where(*gone, unused, alone).limit(most)
    locked = old.with_for_update(skip_locked=True)
    return await session.run(delete(table).where(table.c.backup.in_(locked)))


def _rows() -> Select[tuple[object, ...]]:
    return select(*(table.c[name].label(name) for name in BackupRow.__slots__))


async def _set(
    session: FencedSession, backups: Sequence[BackupId], values: Mapping[str, object]
) -> None:
    await session.run(update(table).where(table.c.backup.in_(backups)).values(values))
