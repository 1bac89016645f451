"""Statements on the egress ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from contracts.ids import ConnectionId, TenantId
from kit.db import ReadSession, WriteSession
from services.sync.tables import ledger

_PLACE = tuple_(ledger.c.at, ledger.c.id)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A call that left; what came back is null until it has ended."""

    id: UUID
    at: datetime
    host: str
    method: str
    operation: str
    table_name: str | None
    fields: Sequence[str]
    rows: int
    request_bytes: int
    response_bytes: int | None
    status: int | None
    duration_ms: int | None
    error: str | None


async def add(session: WriteSession, line: dict[str, Any]) -> None:
    await session.run(insert(ledger).values(line))


async def complete(session: WriteSession, line: UUID, values: dict[str, Any]) -> None:
    await session.run(update(ledger).where(ledger.c.id == line).values(values))


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which calls are meant; `since` is inside of the stretch of time, `until` is not.

    `answer` is the first digit of the status, 0 where no answer came.
    """

    since: datetime | None = None
    until: datetime | None = None
    operation: str | None = None
    table: str | None = None
    host: str | None = None
    answer: int | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        equal = (
            (ledger.c.operation, self.operation),
            (ledger.c.table_name, self.table),
            (ledger.c.host, self.host),
        )
        found = [place == value for place, value in equal if value is not None]
        if self.since is not None:
            found.append(ledger.c.at >= self.since)
        if self.until is not None:
            found.append(ledger.c.at < self.until)
        if self.answer is not None:
            found.append(_answered(self.answer))
        return found


def _answered(digit: int) -> ColumnElement[bool]:
    if not digit:
        return ledger.c.status.is_(None)
    return and_(ledger.c.status >= digit * 100, ledger.c.status < (digit + 1) * 100)


async def page(
    session: ReadSession,
    tenant: TenantId,
    connection: ConnectionId,
    wanted: LedgerFilter,
    before: UUID | None,
    limit: int,
) -> list[LedgerRow]:
    """Newest first; `before` is the last id of the page before."""
    query = _calls(tenant, connection, wanted)
    if before is not None:
        of_connection = (ledger.c.tenant == tenant, ledger.c.connection == connection)
        last = select(ledger.c.at).where(*of_connection, ledger.c.id == before).scalar_subquery()
        query = query.where(tuple_(last, literal(before)) > _PLACE)
    rows = await session.all(query.order_by(ledger.c.at.desc(), ledger.c.id.desc()).limit(limit))
    return [LedgerRow(**row) for row in rows]


async def stretch(
    session: ReadSession,
    tenant: TenantId,
    connection: ConnectionId,
    wanted: LedgerFilter,
    after: LedgerRow | None,
    limit: int,
) -> list[LedgerRow]:
    """Oldest first, those after the last row of the stretch before."""
    query = _calls(tenant, connection, wanted)
    if after is not None:
        query = query.where(tuple_(literal(after.at), literal(after.id)) < _PLACE)
    rows = await session.all(query.order_by(ledger.c.at, ledger.c.id).limit(limit))
    return [LedgerRow(**row) for row in rows]


def _calls(tenant: TenantId, connection: ConnectionId, wanted: LedgerFilter) -> Select[Any]:
    query = select(*(ledger.c[one.name] for one in fields(LedgerRow)))
    of_connection = (ledger.c.tenant == tenant, ledger.c.connection == connection)
    return query.where(*of_connection, *wanted.clauses())


async def forget(session: WriteSession, before: datetime, most: int) -> int:
    """Delete the oldest lines from before this moment, at most so many; returns how many."""
    old = select(ledger.c.id).where(ledger.c.at < before).order_by(ledger.c.at).limit(most)
    locked = old.with_for_update(skip_locked=True)
    return await session.run(delete(ledger).where(ledger.c.id.in_(locked)))
