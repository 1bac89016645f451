"""Turns: at most one run at a time per tenant, and what a dead process left behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Exists,
    RowMapping,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.backup.tables import backup, restore, turn

LONGEST = timedelta(hours=2)


class TurnLost(Exception):
    """Another process holds the tenant's turn: this run must not change anything any more."""


@dataclass(frozen=True)
class Job:
    """A run that was claimed: the row of a backup or of a restore."""

    kind: Literal["full", "restore"]
    tenant: TenantId
    row: RowMapping
    started_at: datetime


async def claim(
    session: WriteSession, holder: UUID, now: datetime, expires_at: datetime
) -> Job | None:
    """The next queued run of a tenant whose turn is free; restores first, for somebody waits."""
    for kind, table in _QUEUES:
        [key] = table.primary_key.columns
        row = await session.first(
            select(table)
            .where(table.c.state == "queued", ~_taken(table, now))
            .order_by(key)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is not None and await take(session, row["tenant"], holder, now, expires_at):
            values = {"state": "running", "started_at": now}
            if kind == "full":
                values["attempts"] = row["attempts"] + 1
            await session.run(update(table).where(key == row[key]).values(values))
            return Job(kind, TenantId(row["tenant"]), row, now)
    return None


async def renew(
    session: WriteSession, tenant: TenantId, holder: UUID, expires_at: datetime
) -> bool:
    """Keep a turn; False where it was lost."""
    where = (turn.c.tenant == tenant, turn.c.holder == holder)
    return await session.run(update(turn).where(*where).values(expires_at=expires_at)) == 1


async def give_up(session: WriteSession, tenant: TenantId, holder: UUID) -> None:
    where = (turn.c.tenant == tenant, turn.c.holder == holder)
    await session.run(delete(turn).where(*where))


async def take(
    session: WriteSession, tenant: UUID, holder: UUID, now: datetime, expires_at: datetime
) -> bool:
    """Take a tenant's turn where it is free."""
    values = {"tenant": tenant, "holder": holder, "expires_at": expires_at}
    free = (
        insert(turn)
        .values(values)
        .on_conflict_do_update(
            index_elements=[turn.c.tenant],
            set_={"holder": holder, "expires_at": expires_at},
            where=~_lasts(now),
        )
    )
    return await session.run(free) == 1


async def fence(session: WriteSession, tenant: TenantId, holder: UUID) -> None:
    """Raise TurnLost unless the turn is still ours; it stays so until the session commits."""
    where = (turn.c.tenant == tenant, turn.c.holder == holder)
    if await session.first(select(turn).where(*where).with_for_update()) is None:
        raise TurnLost


async def abandoned(session: ReadSession, now: datetime, most: int) -> Sequence[Job]:
    """Runs that are marked as running while nobody holds their tenant's turn.

    At most so many of each kind, by chance: those that cannot be healed yet hold up no other.
    """
    jobs: list[Job] = []
    for kind, table in _QUEUES:
        where = (table.c.state.in_(("running", "swapping")), ~_taken(table, now))
        rows = await session.all(select(table).where(*where).order_by(func.random()).limit(most))
        jobs += [Job(kind, TenantId(row["tenant"]), row, row["started_at"]) for row in rows]
    return jobs


_QUEUES: tuple[tuple[Literal["full", "restore"], Table], ...] = (
    ("restore", restore),
    ("full", backup),
)


def _taken(table: Table, now: datetime) -> Exists:
    return exists().where(turn.c.tenant == table.c.tenant, _lasts(now))


def _lasts(now: datetime) -> ColumnElement[bool]:
    """Whether a turn holds; one that ends later than any turn was taken by a wrong clock."""
    return and_(turn.c.expires_at > now, turn.c.expires_at <= now + LONGEST)
