"""Statements on the egress ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from contracts.ids import ConnectionId, TenantId
from kit.db import ReadSession, WriteSession
from services.sync.tables import ledger


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


async def page(
    session: ReadSession,
    tenant: TenantId,
    connection: ConnectionId,
    before: UUID | None,
    limit: int,
) -> list[LedgerRow]:
    """Newest first; `before` is the last id of the page before."""
    query = select(*(ledger.c[one.name] for one in fields(LedgerRow)))
    query = query.where(ledger.c.tenant == tenant, ledger.c.connection == connection)
    if before is not None:
        query = query.where(ledger.c.id < before)
    rows = await session.all(query.order_by(ledger.c.id.desc()).limit(limit))
    return [LedgerRow(**row) for row in rows]


async def forget(session: WriteSession, before: datetime, most: int) -> int:
    """Delete the oldest lines from before this moment, at most so many; returns how many."""
    old = select(ledger.c.id).where(ledger.c.at < before).order_by(ledger.c.at).limit(most)
    locked = old.with_for_update(skip_locked=True)
    return await session.run(delete(ledger).where(ledger.c.id.in_(locked)))
