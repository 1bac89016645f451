"""Snapshots: the queue of fulls to take and the index of those that exist."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import RowMapping, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import SnapshotId, TenantId, UserId, new_id
from kit.db import ReadSession, WriteSession
from services.backup.manifest import Level, Manifest
from services.backup.tables import restore
from services.backup.tables import snapshot as table

_OPEN = ("queued", "running")
_LIST_LIMIT = 100


async def ask(
    session: WriteSession,
    tenant: TenantId,
    cause: Literal["demand", "schedule"],
    user: UserId | None = None,
) -> RowMapping:
    """Queue a full; where one is queued or running already, that one is the answer."""
    values = {"snapshot": new_id(), "tenant": tenant, "cause": cause, "requested_by": user}
    await session.run(insert(table).values(values).on_conflict_do_nothing())
    row = await session.first(
        select(table).where(table.c.tenant == tenant, table.c.state.in_(_OPEN))
    )
    if row is None:  # the one in our way has just finished
        return await ask(session, tenant, cause, user)
    return row


async def find(session: ReadSession, tenant: TenantId, snapshot: UUID) -> RowMapping | None:
    where = (table.c.tenant == tenant, table.c.snapshot == snapshot)
    return await session.first(select(table).where(*where))


async def newest(session: ReadSession, tenant: TenantId) -> Sequence[RowMapping]:
    """The newest hundred that have not expired, newest first."""
    where = (table.c.tenant == tenant, table.c.state != "expired")
    statement = select(table).where(*where).order_by(table.c.snapshot.desc()).limit(_LIST_LIMIT)
    return await session.all(statement)


async def complete(
    session: WriteSession, snapshot: SnapshotId, manifest: Manifest, now: datetime
) -> None:
    """A verified full of this manifest exists."""
    values = {
        "state": "verified",
        "reason": None,
        "finished_at": now,
        "taken_at": manifest.at,
        "size_bytes": manifest.size,
        "row_count": manifest.rows,
        "proved": "archive",
    }
    await _set(session, [snapshot], values)


async def fail(session: WriteSession, snapshot: SnapshotId, reason: str, now: datetime) -> None:
    await _set(session, [snapshot], {"state": "failed", "reason": reason, "finished_at": now})


async def requeue(session: WriteSession, snapshot: SnapshotId) -> None:
    """It was interrupted and is tried again."""
    await _set(session, [snapshot], {"state": "queued"})


async def prove(session: WriteSession, snapshot: SnapshotId, level: Level) -> None:
    await _set(session, [snapshot], {"proved": level})


async def expire(session: WriteSession, snapshots: Sequence[SnapshotId]) -> None:
    await _set(session, snapshots, {"state": "expired"})


async def forget(session: WriteSession, before: datetime, most: int) -> int:
    """Delete rows of before this moment whose backup is gone or never was; returns how many."""
    gone = (table.c.state.in_(("failed", "expired")), table.c.requested_at < before)
    unused = ~exists().where(restore.c.snapshot == table.c.snapshot)
    old = select(table.c.snapshot).where(*gone, unused).limit(most)
    locked = old.with_for_update(skip_locked=True)
    return await session.run(delete(table).where(table.c.snapshot.in_(locked)))


async def _set(
    session: WriteSession, snapshots: Sequence[SnapshotId], values: Mapping[str, object]
) -> None:
    await session.run(update(table).where(table.c.snapshot.in_(snapshots)).values(values))
