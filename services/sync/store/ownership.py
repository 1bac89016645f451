"""Who owns which row of a CRM: keys as it compares them, and records that have the same one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from contracts.ids import ConnectionId
from kit.db import ReadSession, WriteSession
from services.sync.store.arrays import among
from services.sync.tables import outgoing


@dataclass(frozen=True, slots=True)
class UnkeyedRow:
    """A row whose key has not been brought into the form in which the CRM compares it."""

    record: UUID
    module: str
    key: str
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rival:
    """A record that has a key, or the row of the CRM with it; `is_gone` where it is no more."""

    record: UUID
    same_key: str
    crm_key: str | None
    crm_id: str | None
    is_inactive: bool
    is_gone: bool
    sent: Mapping[str, str]
    doubted_at: datetime | None = None


async def rivals(
    session: ReadSession, connection: ConnectionId, module: str, same_keys: Sequence[str]
) -> list[Rival]:
    """All records that have one of these keys or own the row with it, a few at most of each key.

    One that was found empty has nothing to send, so it keeps its key from nobody.
    """
    of_module = (outgoing.c.connection == connection, outgoing.c.module == module)
    columns = [outgoing.c[one.name] for one in fields(Rival) if one.name != "is_gone"]
    is_gone = (outgoing.c.state == "removed").label("is_gone")
    owners = select(*columns, is_gone).where(*of_module, among(outgoing.c.crm_key, same_keys))
    eldest = (
        select(*columns, is_gone)
        .ext(distinct_on(outgoing.c.same_key))
        .where(*of_module, among(outgoing.c.same_key, same_keys))
        .where(outgoing.c.state.not_in(("removed", "empty")))
        .order_by(outgoing.c.same_key, outgoing.c.record)
    )
    return [Rival(**row) for query in (owners, eldest) for row in await session.all(query)]


async def unkeyed(session: ReadSession, connection: ConnectionId, limit: int) -> list[UnkeyedRow]:
    """Rows of a version that did not compare keys as the CRM does, the oldest records first."""
    query = select(*(outgoing.c[one.name] for one in fields(UnkeyedRow)))
    query = query.where(outgoing.c.connection == connection, outgoing.c.same_key.is_(None))
    rows = await session.all(query.order_by(outgoing.c.record).limit(limit))
    return [UnkeyedRow(**row) for row in rows]


async def owned(
    session: ReadSession, connection: ConnectionId, crm_keys: Sequence[str]
) -> set[tuple[str, str]]:
    """Module and key of the CRM's rows that have an owner, among these keys."""
    query = select(outgoing.c.module, outgoing.c.crm_key)
    of_keys = (outgoing.c.connection == connection, among(outgoing.c.crm_key, crm_keys))
    return {(row["module"], row["crm_key"]) for row in await session.all(query.where(*of_keys))}


async def give_keys(
    session: WriteSession, connection: ConnectionId, rows: Sequence[Mapping[str, Any]]
) -> None:
    """The form of each record's key (`which`, `same`), and whose row of the CRM is whose."""
    one = (outgoing.c.connection == connection, outgoing.c.record == bindparam("which"))
    statement = update(outgoing).where(*one)
    statement = statement.values(same_key=bindparam("same"), crm_key=bindparam("owned"))
    await session.run(statement, [dict(row) for row in rows])
