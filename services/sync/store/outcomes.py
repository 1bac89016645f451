"""Statements on what became of records, for those who look: found, counted, tried again."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from contracts.ids import ConnectionId
from kit.db import ReadSession, WriteSession
from services.sync.connection import OutcomeState
from services.sync.store import outgoing as due
from services.sync.tables import outgoing


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of a record; `detail` is sealed."""

    connection: ConnectionId
    record: UUID
    module: str
    key: str
    state: OutcomeState
    reason: str
    code: str
    detail: bytes | None
    attempts: int
    not_before: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many rows of a module are in a state for a reason."""

    module: str
    state: OutcomeState
    code: str
    rows: int


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """Which rows are meant: those that are as every member says that is not None."""

    state: str | None = None
    module: str | None = None
    key: str | None = None
    record: UUID | None = None
    code: str | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        given = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return [outgoing.c[name] == value for name, value in given if value is not None]


async def page(
    session: ReadSession,
    connection: ConnectionId,
    wanted: OutcomeFilter,
    after: UUID | None,
    limit: int,
) -> list[OutcomeRow]:
    """By record; `after` is the last one of the page before."""
    columns = [outgoing.c[one.name] for one in fields(OutcomeRow)]
    query = select(*columns).where(outgoing.c.connection == connection, *wanted.clauses())
    if after is not None:
        query = query.where(outgoing.c.record > after)
    rows = await session.all(query.order_by(outgoing.c.record).limit(limit))
    return [OutcomeRow(**row) for row in rows]


async def counts(
    session: ReadSession, connections: Sequence[ConnectionId]
) -> dict[ConnectionId, dict[str, int]]:
    """How many rows are in each state."""
    query = (
        select(outgoing.c.connection, outgoing.c.state, func.count().label("rows"))
        .where(outgoing.c.connection.in_(connections))
        .group_by(outgoing.c.connection, outgoing.c.state)
    )
    found: dict[ConnectionId, dict[str, int]] = {}
    for row in await session.all(query):
        found.setdefault(ConnectionId(row["connection"]), {})[row["state"]] = row["rows"]
    return found


async def summary(session: ReadSession, connection: ConnectionId) -> list[OutcomeCount]:
    """All rows of the connection, counted: as many entries as there are differences."""
    by = (outgoing.c.module, outgoing.c.state, outgoing.c.code)
    query = select(*by, func.count().label("rows")).where(outgoing.c.connection == connection)
    rows = await session.all(query.group_by(*by).order_by(*by))
    return [OutcomeCount(**row) for row in rows]


async def try_again(
    session: WriteSession,
    connection: ConnectionId,
    wanted: OutcomeFilter,
    states: Sequence[OutcomeState],
    before: datetime,
    most: int,
) -> int:
    """So many at most of the rows that are meant and have been in these states since; how many."""
    since = (outgoing.c.state.in_(states), outgoing.c.updated_at <= before)
    clauses = [*wanted.clauses(), *since]
    return await due.again_where(session, connection, *clauses, most=most)


async def wake_refused(
    session: WriteSession, connection: ConnectionId, module: str, most: int
) -> int:
    """Look again at so many parked records which the CRM's table did not take; how many."""
    codes = outgoing.c.code.in_(("key-refused", "refused", "value-refused"))
    of_rows = (outgoing.c.module == module, outgoing.c.state == "parked", codes)
    return await due.again_where(session, connection, *of_rows, most=most)
