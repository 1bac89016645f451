"""Statements on rows of CRMs that were ours and are believed to be gone: remembered for a while."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import ConnectionId
from kit.db import ReadSession, WriteSession
from services.sync.store.arrays import among
from services.sync.tables import left_row

FIRST = str(UUID(int=0))  # before every id

# the rows of vanished records that stayed in the CRM: which of them are there, and by which key?
_LEAVE = text("""
WITH vanished AS (
    SELECT record, module, crm_id, coalesce(same_key, '') AS same_key,
        ARRAY(SELECT jsonb_object_keys(sent)) AS columns
    FROM outgoing
    WHERE connection = :of AND state = 'removed' AND crm_id IS NOT NULL
        AND code IN ('gone', 'not-chosen') AND record > CAST(:after AS uuid)
        AND module = coalesce(:module, module) AND same_key = coalesce(:same_key, same_key)
    ORDER BY record LIMIT :most
    FOR UPDATE
), given_up AS (
    UPDATE outgoing SET crm_key = NULL, crm_id = NULL, is_inactive = false, sent = '{}'
    FROM vanished WHERE outgoing.connection = :of AND outgoing.record = vanished.record
), left_now AS (
    INSERT INTO left_row (connection, crm_id, module, record, same_key, columns, look_at)
    SELECT :of, crm_id, module, record, same_key, columns, now() FROM vanished
    ON CONFLICT (connection, crm_id) DO UPDATE SET look_at = now()
)
SELECT record FROM vanished ORDER BY record""").bindparams(
    bindparam("of", type_=left_row.c.connection.type),
    bindparam("module", type_=left_row.c.module.type),
    bindparam("same_key", type_=left_row.c.same_key.type),
)


@dataclass(frozen=True, slots=True)
class LeftRow:
    """`columns` are those that were ever sent into it by whoever had it."""

    crm_id: str
    module: str
    record: UUID
    same_key: str
    columns: Sequence[str]


async def add(session: WriteSession, connection: ConnectionId, rows: Sequence[LeftRow]) -> None:
    """Nobody has these rows any more."""
    if rows:
        await session.run(insert(left_row).on_conflict_do_nothing(), _given(connection, rows))


async def doubt(session: WriteSession, connection: ConnectionId, rows: Sequence[LeftRow]) -> None:
    """These rows have owners that cannot be sent: the CRM is asked whether they are there."""
    if rows:
        where, now = ["connection", "crm_id"], {"look_at": func.now()}
        doubted = insert(left_row).values(now)
        doubted = doubted.on_conflict_do_update(index_elements=where, set_=now)
        await session.run(doubted, _given(connection, rows))


def _given(connection: ConnectionId, rows: Sequence[LeftRow]) -> list[dict[str, Any]]:
    names = [one.name for one in fields(LeftRow)]
    return [
        {"connection": connection} | {name: getattr(row, name) for name in names} for row in rows
    ]


async def take(
    session: WriteSession, connection: ConnectionId, crm_ids: Collection[str]
) -> list[LeftRow]:
    """Somebody has these rows now; those among them that had been left."""
    query = delete(left_row).where(*_of(connection, crm_ids))
    columns = [left_row.c[one.name] for one in fields(LeftRow)]
    return [LeftRow(**row) for row in await session.all(query.returning(*columns))]


async def due(
    session: ReadSession, connection: ConnectionId, module: str, after: str, most: int
) -> list[LeftRow]:
    """The next rows for which the CRM is to be asked now, by id."""
    query = select(*(left_row.c[one.name] for one in fields(LeftRow)))
    query = query.where(*_due(connection, module), left_row.c.crm_id > after)
    rows = await session.all(query.order_by(left_row.c.crm_id).limit(most))
    return [LeftRow(**row) for row in rows]


async def are_due(session: ReadSession, connection: ConnectionId, module: str) -> bool:
    return bool(await session.scalar(select(select(1).where(*_due(connection, module)).exists())))


async def look_at(
    session: WriteSession,
    connection: ConnectionId,
    crm_ids: Collection[str],
    again: datetime | None,
) -> None:
    """The CRM was asked for these rows; the next time is `again`, or when somebody says so."""
    query = update(left_row).where(*_of(connection, crm_ids))
    if crm_ids:
        await session.run(query.values(look_at=again))


async def leave_some(
    session: WriteSession,
    connection: ConnectionId,
    module: str | None,
    same_key: str | None,
    after: str,
    most: int,
) -> str | None:
    """Take it for granted no more that rows of the next vanished records stayed as they were; the
    last record, None where there are no more."""
    meant = {"of": connection, "module": module, "same_key": same_key}
    rows = await session.all(_LEAVE, {**meant, "after": after, "most": most})
    return str(rows[-1]["record"]) if len(rows) == most else None


async def look_at_some(
    session: WriteSession,
    connection: ConnectionId,
    module: str | None,
    same_key: str | None,
    after: str,
    most: int,
) -> str | None:
    """Ask the CRM for the next of these rows; the last one, None where there are no more."""
    wanted = {left_row.c.module: module, left_row.c.same_key: same_key}
    meant = [column == value for column, value in wanted.items() if value is not None]
    some = select(left_row.c.crm_id).where(left_row.c.connection == connection, *meant)
    some = some.where(left_row.c.crm_id > after).order_by(left_row.c.crm_id).limit(most)
    query = update(left_row).where(left_row.c.connection == connection, left_row.c.crm_id.in_(some))
    found = await session.all(query.values(look_at=func.now()).returning(left_row.c.crm_id))
    return max(row["crm_id"] for row in found) if len(found) == most else None


async def forget_some(
    session: WriteSession, connection: ConnectionId, modules: Sequence[str] | None, most: int
) -> int:
    """Some rows of modules that go into other tables now, or nowhere (None: of all); how many."""
    meant = [left_row.c.connection == connection]
    if modules is not None:
        meant.append(left_row.c.module.in_(modules))
    some = select(left_row.c.crm_id).where(*meant).limit(most)
    query = delete(left_row).where(left_row.c.connection == connection)
    return await session.run(query.where(left_row.c.crm_id.in_(some)))


async def forget(session: WriteSession, before: datetime, most: int) -> int:
    """Delete what was left before this moment; returns how many."""
    key = (left_row.c.connection, left_row.c.crm_id)
    old = select(*key).where(left_row.c.left_at < before)
    locked = old.order_by(left_row.c.left_at).limit(most).with_for_update(skip_locked=True)
    return await session.run(delete(left_row).where(tuple_(*key).in_(locked)))


def _of(connection: ConnectionId, crm_ids: Collection[str]) -> list[ColumnElement[bool]]:
    return [left_row.c.connection == connection, among(left_row.c.crm_id, crm_ids)]


def _due(connection: ConnectionId, module: str) -> list[ColumnElement[bool]]:
    of_module = [left_row.c.connection == connection, left_row.c.module == module]
    return [*of_module, left_row.c.look_at <= func.now()]
