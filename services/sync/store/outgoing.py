"""Statements on what is still to be sent and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from contracts.ids import ConnectionId
from kit.db import ReadSession, WriteSession
from services.sync.connection import OutcomeState
from services.sync.store.arrays import Types, among, arrays_of, given_rows
from services.sync.tables import outgoing

_WAITING = outgoing.c.state.in_(("pending", "retry"))
_DUE = outgoing.c.state.in_(("pending", "retry", "parked"))
AGAIN: dict[str, Any] = {
    "state": "pending",
    "attempts": 0,
    "not_before": func.now(),
    "failing_since": None,
    "reason": "",
    "code": "",
    "detail": None,
    "updated_at": func.now(),
    "marked": outgoing.c.marked + 1,
    # whoever changes again while it waits has been waiting all the same
    "waiting_since": case((_WAITING, outgoing.c.waiting_since), else_=func.now()),
}
_MARKED: Types = {"record": Uuid(), "module": Text(), "key": Text(), "same_key": Text()}


def _marking() -> Insert:
    given = given_rows(_MARKED).c
    whose = (bindparam("of", type_=Uuid()).label("connection"), literal("pending").label("state"))
    rows = select(*whose, *(given[name] for name in _MARKED))
    mark = insert(outgoing).from_select(["connection", "state", *_MARKED], rows)
    named = {name: mark.excluded[name] for name in ("module", "key", "same_key")}
    where = ["connection", "record"]
    return mark.on_conflict_do_update(index_elements=where, set_={**AGAIN, **named})


_MARK = _marking()

# every column that was ever sent, as one of which nobody knows what the CRM holds
_SENT = func.jsonb_object_keys(outgoing.c.sent).table_valued("name").render_derived()
UNKNOWN = func.coalesce(
    select(func.jsonb_object_agg(_SENT.c.name, "")).select_from(_SENT).scalar_subquery(),
    literal({}, JSONB),
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A record that may have to be sent; `same_key` is its key as the CRM compares it."""

    record: UUID
    module: str
    key: str
    same_key: str


@dataclass(frozen=True, slots=True)
class DueRow:
    """A record that may be sent now, and the row of the CRM that it owns.

    `sent` are the hashes of what that row has acknowledged; `crm_key` is null where there is none.
    `doubted_at` is when the last call left whose end is unknown, if there is one.
    """

    record: UUID
    state: OutcomeState = "pending"
    attempts: int = 0
    failing_since: datetime | None = None
    sent: Mapping[str, str] = field(default_factory=dict)
    same_key: str | None = None
    crm_key: str | None = None
    crm_id: str | None = None
    is_inactive: bool = False
    recreates: bool = False
    marked: int = 0
    doubted_at: datetime | None = None


async def mark(session: WriteSession, connection: ConnectionId, records: Sequence[Marked]) -> None:
    """These records may have to be sent."""
    if records:
        await session.run(_MARK, {"of": connection} | arrays_of(records, _MARKED))


async def same_keys(
    session: ReadSession, connection: ConnectionId, records: Sequence[UUID]
) -> dict[UUID, str]:
    """The keys that these records had when they were marked last, as the CRM compares them."""
    of_records = (outgoing.c.connection == connection, among(outgoing.c.record, records))
    query = select(outgoing.c.record, outgoing.c.same_key).where(*of_records)
    return {row["record"]: row["same_key"] for row in await session.all(query)}


async def mark_again(
    session: WriteSession, connection: ConnectionId, records: Sequence[UUID]
) -> None:
    """Look at these records once more, whatever became of them; unknown ones stay unknown."""
    if records:
        query = update(outgoing).where(
            outgoing.c.connection == connection, among(outgoing.c.record, records)
        )
        await session.run(query.values(AGAIN))


async def mark_some(
    session: WriteSession, connection: ConnectionId, after: UUID, most: int
) -> UUID | None:
    """Compare the next records again with what was sent, but for those that were found gone; the
    last of them, None where there are no more.

    Whoever was only not chosen may be gone as well: nobody was told while the module was withdrawn.
    """
    is_open = or_(outgoing.c.state != "removed", outgoing.c.code == "not-chosen")
    marked = await change_next(session, connection, after, most, [is_open], AGAIN)
    return max(marked) if len(marked) == most else None


async def change_next(
    session: WriteSession,
    connection: ConnectionId,
    after: UUID,
    most: int,
    of_rows: Sequence[ColumnElement[bool]],
    changes: Mapping[str, Any],
) -> list[UUID]:
    """Change the next rows, by record: all at once would take too long for one statement."""
    of_connection = outgoing.c.connection == connection
    some = select(outgoing.c.record).where(of_connection, *of_rows, outgoing.c.record > after)
    some = some.order_by(outgoing.c.record).limit(most)
    query = update(outgoing).where(of_connection, outgoing.c.record.in_(some)).values(changes)
    return [row["record"] for row in await session.all(query.returning(outgoing.c.record))]


async def wake_children(
    session: WriteSession, connection: ConnectionId, modules: Sequence[str], most: int
) -> int:
    """Look again at so many parked records of these modules at most whose parents were not in the
    CRM; how many."""
    where = (
        outgoing.c.module.in_(modules),
        outgoing.c.state == "parked",
        outgoing.c.code == "reference-missing",
    )
    return await again_where(session, connection, *where, most=most) if modules else 0


async def wake_parked(
    session: WriteSession, connection: ConnectionId, module: str, same_keys: Sequence[str]
) -> None:
    """Look again at parked records with these keys: whoever owned the row has left it."""
    if same_keys:
        of_module = (outgoing.c.connection == connection, outgoing.c.module == module)
        waiting = (among(outgoing.c.same_key, same_keys), outgoing.c.state == "parked")
        await session.run(update(outgoing).where(*of_module, *waiting).values(AGAIN))


async def again_where(
    session: WriteSession, connection: ConnectionId, *of_rows: ColumnElement[bool], most: int
) -> int:
    """Look again at so many of these rows at most; how many."""
    key = (outgoing.c.connection, outgoing.c.record)
    some = select(*key).where(outgoing.c.connection == connection, *of_rows)
    locked = some.order_by(outgoing.c.record).limit(most).with_for_update()
    return await session.run(update(outgoing).where(tuple_(*key).in_(locked)).values(AGAIN))


async def due(
    session: ReadSession, connection: ConnectionId, module: str, after: UUID | None, limit: int
) -> list[DueRow]:
    """Records that may be sent now, by id, those after `after`; parked ones are among them."""
    query = select(*(outgoing.c[one.name] for one in fields(DueRow))).where(
        outgoing.c.connection == connection,
        outgoing.c.module == module,
        _DUE,
        outgoing.c.not_before <= func.now(),
    )
    if after is not None:
        query = query.where(outgoing.c.record > after)
    rows = await session.all(query.order_by(outgoing.c.record).limit(limit))
    return [DueRow(**row) for row in rows]


async def known(
    session: ReadSession, connection: ConnectionId, records: Sequence[UUID]
) -> list[DueRow]:
    """Those of the records that were read before, whatever became of them."""
    query = select(*(outgoing.c[one.name] for one in fields(DueRow))).where(
        outgoing.c.connection == connection, among(outgoing.c.record, records)
    )
    return [DueRow(**row) for row in await session.all(query)]


async def keys_of(
    session: ReadSession, connection: ConnectionId, records: Sequence[UUID]
) -> dict[UUID, str]:
    """What these records were called when they were read last."""
    query = select(outgoing.c.record, outgoing.c.key)
    of_records = (outgoing.c.connection == connection, among(outgoing.c.record, records))
    return {row["record"]: row["key"] for row in await session.all(query.where(*of_records))}


async def next_due(
    session: ReadSession, connection: ConnectionId, modules: Sequence[str]
) -> datetime | None:
    """When the next row of these modules may be sent."""
    query = select(func.min(outgoing.c.not_before)).where(
        outgoing.c.connection == connection, outgoing.c.module.in_(modules), _DUE
    )
    moment: datetime | None = await session.scalar(query)
    return moment


async def forget_vanished(session: WriteSession, before: datetime, most: int) -> int:
    """Delete rows of records that are gone since before this moment; returns how many.

    Whose row stays in the CRM is kept: a record that is made with its key takes it over.
    """
    key = (outgoing.c.connection, outgoing.c.record)
    old = select(*key).where(
        outgoing.c.state == "removed",
        outgoing.c.crm_key.is_(None),
        outgoing.c.updated_at < before,
    )
    locked = old.order_by(outgoing.c.updated_at).limit(most).with_for_update(skip_locked=True)
    return await session.run(delete(outgoing).where(tuple_(*key).in_(locked)))
