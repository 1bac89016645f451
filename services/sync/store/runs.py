"""Statements on runs: asked for, begun, on their way, ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, insert, or_, select, text, update

from contracts.ids import ConnectionId, new_id
from kit.db import ReadSession, WriteSession
from services.sync.connection import RunState, RunWhy
from services.sync.tables import outgoing, run

INTERRUPTED = "the process that was at it has ended; what was due is sent by the next run"
COUNTED = ("sent", "unchanged", "parked", "retried")
_NOW = func.now()
_IS_OPEN = run.c.ended_at.is_(None)
_SURPLUS = text("""
DELETE FROM run WHERE id IN (
    SELECT run.id FROM connection
    CROSS JOIN LATERAL (
        SELECT id FROM run WHERE run.connection = connection.id
        ORDER BY id DESC OFFSET :kept LIMIT 1
    ) AS newest
    JOIN run ON run.connection = connection.id AND run.id <= newest.id
    WHERE run.ended_at IS NOT NULL
    LIMIT :most
)""")


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is; `due` counts the records that could be sent since it began, each once."""

    id: UUID
    why: RunWhy
    state: RunState
    reason: str
    asked_at: datetime
    started_at: datetime | None
    seen_at: datetime | None
    ended_at: datetime | None
    due: int
    sent: int
    unchanged: int
    parked: int
    retried: int
    times: int


_COLUMNS = [run.c[one.name] for one in fields(RunRow)]


async def page(
    session: ReadSession, connection: ConnectionId, before: UUID | None, limit: int
) -> list[RunRow]:
    """Newest first; `before` is the last id of the page before."""
    query = select(*_COLUMNS).where(run.c.connection == connection)
    if before is not None:
        query = query.where(run.c.id < before)
    return [
        RunRow(**row) for row in await session.all(query.order_by(run.c.id.desc()).limit(limit))
    ]


async def get(session: ReadSession, connection: ConnectionId, id_: UUID) -> RunRow | None:
    query = select(*_COLUMNS).where(run.c.connection == connection, run.c.id == id_)
    row = await session.first(query)
    return None if row is None else RunRow(**row)


async def ask(session: WriteSession, connection: ConnectionId) -> UUID:
    """A run that somebody wants; one that waits already is that one."""
    waiting = select(run.c.id).where(run.c.connection == connection, run.c.state == "asked")
    if found := await session.scalar(waiting.limit(1)):
        return UUID(str(found))
    id_ = new_id()
    row = {"id": id_, "connection": connection, "why": "demand", "state": "asked"}
    await session.run(insert(run).values(row))
    return id_


async def take_over(session: WriteSession, connection: ConnectionId) -> UUID | None:
    """End what a process has left open; the run that was asked for begins. Its id, or None."""
    left = update(run).where(run.c.connection == connection, _IS_OPEN, run.c.state == "running")
    ended = {"state": "interrupted", "reason": INTERRUPTED, "ended_at": _NOW}
    await session.run(left.values(ended))
    asked = update(run).where(run.c.connection == connection, _IS_OPEN, run.c.state == "asked")
    begun = {"state": "running", "started_at": _NOW, "seen_at": _NOW}
    found = await session.scalar(asked.values(begun).returning(run.c.id))
    return None if found is None else UUID(str(found))


async def begin(
    session: WriteSession, id_: UUID, connection: ConnectionId, why: str, modules: Sequence[str]
) -> int:
    """The run from the moment that something is due; how many rows are."""
    due = await count_due(session, connection, modules)
    changed = update(run).where(run.c.id == id_, _IS_OPEN).values(due=due)
    if not await session.run(changed):
        row = {"id": id_, "connection": connection, "why": why, "state": "running", "due": due}
        await session.run(insert(run).values(**row, started_at=_NOW, seen_at=_NOW))
    return due


async def count_due(
    session: ReadSession,
    connection: ConnectionId,
    modules: Sequence[str],
    since: UUID | None = None,
) -> int:
    """Rows of these modules that may be sent now; and with them those that this run has looked at
    `since` it began: each once, however often it fell due."""
    waits = and_(
        outgoing.c.state.in_(("pending", "retry", "parked")), outgoing.c.not_before <= _NOW
    )
    begun = select(run.c.started_at).where(run.c.id == since).scalar_subquery()
    concerned = waits if since is None else or_(waits, outgoing.c.updated_at >= begun)
    of_modules = (outgoing.c.connection == connection, outgoing.c.module.in_(modules))
    return int(await session.scalar(select(func.count()).where(*of_modules, concerned)))


async def advance(
    session: WriteSession, id_: UUID, counts: Mapping[str, int], due: int = 0
) -> None:
    """How far it is: counts never go back, and a run that was ended tells nothing any more."""
    query = update(run).where(run.c.id == id_, _IS_OPEN)
    found = {"due": func.greatest(run.c.due, due)}
    await session.run(query.values(**_grown(counts), **found, seen_at=_NOW))


async def end(
    session: WriteSession, id_: UUID, state: str, reason: str, counts: Mapping[str, int]
) -> None:
    """Also one that its successor took for interrupted: it knows better how it ended."""
    mine = or_(_IS_OPEN, run.c.state == "interrupted")
    ended = {"state": state, "reason": reason, "ended_at": _NOW, "seen_at": _NOW}
    await session.run(update(run).where(run.c.id == id_, mine).values(**_grown(counts), **ended))


async def fail(
    session: WriteSession, connection: ConnectionId, why: str, state: str, reason: str
) -> None:
    """A run that failed before anything was due; the same failure once more is the same run."""
    newest = select(run.c.id).where(run.c.connection == connection)
    last = newest.order_by(run.c.id.desc()).limit(1).scalar_subquery()
    same = and_(run.c.id == last, run.c.state == state, run.c.reason == reason, run.c.due == 0)
    again = update(run).where(same, run.c.ended_at.is_not(None))
    if await session.run(again.values(times=run.c.times + 1, seen_at=_NOW, ended_at=_NOW)):
        return
    row = {"id": new_id(), "connection": connection, "why": why, "state": state, "reason": reason}
    await session.run(insert(run).values(**row, started_at=_NOW, seen_at=_NOW, ended_at=_NOW))


async def end_silent(session: WriteSession, before: datetime) -> int:
    """End runs that have told nothing since: nobody is at them, and no push may come after."""
    silent = update(run).where(_IS_OPEN, run.c.state == "running", run.c.seen_at < before)
    ended = {"state": "interrupted", "reason": INTERRUPTED, "ended_at": _NOW}
    return await session.run(silent.values(ended))


async def forget(session: WriteSession, before: datetime, most: int) -> int:
    """Delete runs that ended before this moment, at most so many; returns how many."""
    old = select(run.c.id).where(run.c.ended_at < before).limit(most)
    return await session.run(delete(run).where(run.c.id.in_(old.with_for_update(skip_locked=True))))


async def forget_surplus(session: WriteSession, kept: int, most: int) -> int:
    """Delete ended runs but for the newest of each connection; returns how many."""
    return await session.run(_SURPLUS, {"kept": kept, "most": most})


def _grown(counts: Mapping[str, int]) -> dict[str, Any]:
    return {name: func.greatest(run.c[name], counts.get(name, 0)) for name in COUNTED}
