"""Statements on what is still to be sent and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from contracts.ids import ConnectionId
from kit.db import ReadSession, WriteSession
from services.sync.connection import OutcomeState
from services.sync.tables import outgoing

_DUE = outgoing.c.state.in_(("pending", "retry"))
_AGAIN: dict[str, Any] = {
    "state": "pending",
    "attempts": 0,
    "not_before": func.now(),
    "failing_since": None,
    "reason": "",
    "detail": None,
    "updated_at": func.now(),
    # whoever changes again while it waits has been waiting all the same
    "waiting_since": case((_DUE, outgoing.c.waiting_since), else_=func.now()),
}
# one row each time it is run, which takes `of` and `which`; `added` goes over what `sent` holds
_ONE = (outgoing.c.connection == bindparam("of"), outgoing.c.record == bindparam("which"))
_INTEND = update(outgoing).where(*_ONE)
_INTEND = _INTEND.values(sent=outgoing.c.sent.concat(bindparam("added", type_=JSONB)))
_SETTLE = _INTEND.values(updated_at=func.now())  # and all members of a Settlement

_WAITING_SINCE = text("""
SELECT min(oldest.waiting_since) AS since
FROM connection
CROSS JOIN LATERAL jsonb_object_keys(connection.modules) AS mapped (module)
CROSS JOIN LATERAL (
    SELECT waiting_since FROM outgoing
    WHERE outgoing.connection = connection.id AND outgoing.module = mapped.module
        AND outgoing.state IN ('pending', 'retry')
    ORDER BY waiting_since LIMIT 1
) AS oldest
WHERE connection.state = 'active' AND NOT connection.suspended
GROUP BY connection.id ORDER BY since""")


@dataclass(frozen=True)
class Settlement:
    """The new state of one row; `sent` are the hashes that change."""

    record: UUID
    state: OutcomeState
    not_before: datetime
    attempts: int = 0
    failing_since: datetime | None = None
    reason: str = ""
    detail: bytes | None = None
    sent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DueRow:
    """A record that may be sent now; `sent` are the hashes of what the CRM has acknowledged."""

    record: UUID
    attempts: int
    failing_since: datetime | None
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of a record; `detail` is sealed."""

    connection: ConnectionId
    record: UUID
    module: str
    key: str
    state: OutcomeState
    reason: str
    detail: bytes | None
    attempts: int
    not_before: datetime
    updated_at: datetime


async def mark(
    session: WriteSession, connection: ConnectionId, records: Sequence[Mapping[str, Any]]
) -> None:
    """These records (record, module, key) may have to be sent."""
    if not records:
        return
    rows = [{**record, "connection": connection, "state": "pending"} for record in records]
    upsert = insert(outgoing).values(rows)
    changes = {**_AGAIN, "module": upsert.excluded.module, "key": upsert.excluded.key}
    await session.run(
        upsert.on_conflict_do_update(index_elements=["connection", "record"], set_=changes)
    )


async def mark_again(
    session: WriteSession, connection: ConnectionId, records: Sequence[UUID]
) -> None:
    """Look at these records once more, whatever became of them; unknown ones stay unknown."""
    if records:
        query = update(outgoing).where(
            outgoing.c.connection == connection, outgoing.c.record.in_(records)
        )
        await session.run(query.values(_AGAIN))


async def mark_all(session: WriteSession, connection: ConnectionId) -> None:
    """Compare everything again with what was sent."""
    query = update(outgoing).where(outgoing.c.connection == connection)
    await session.run(query.values(_AGAIN))


async def unpark(session: WriteSession, connection: ConnectionId) -> int:
    query = update(outgoing).where(
        outgoing.c.connection == connection, outgoing.c.state == "parked"
    )
    return await session.run(query.values(_AGAIN))


async def due(
    session: ReadSession, connection: ConnectionId, module: str, limit: int
) -> list[DueRow]:
    query = select(*(outgoing.c[one.name] for one in fields(DueRow))).where(
        outgoing.c.connection == connection,
        outgoing.c.module == module,
        _DUE,
        outgoing.c.not_before <= func.now(),
    )
    rows = await session.all(query.order_by(outgoing.c.record).limit(limit))
    return [DueRow(**row) for row in rows]


async def next_due(
    session: ReadSession, connection: ConnectionId, modules: Sequence[str]
) -> datetime | None:
    """When the next row of these modules may be sent."""
    query = select(func.min(outgoing.c.not_before)).where(
        outgoing.c.connection == connection, outgoing.c.module.in_(modules), _DUE
    )
    moment: datetime | None = await session.scalar(query)
    return moment


async def intend(
    session: WriteSession,
    connection: ConnectionId,
    in_flight: Mapping[UUID, Mapping[str, str]],
) -> None:
    """Forget, before sending, the hashes of the fields in flight: they count as unknown."""
    if in_flight:
        rows = [
            {"of": connection, "which": record, "added": hashes}
            for record, hashes in in_flight.items()
        ]
        await session.run(_INTEND, rows)


async def settle(
    session: WriteSession, connection: ConnectionId, rows: Sequence[Settlement]
) -> None:
    if rows:
        await session.run(_SETTLE, [_settling(connection, row) for row in rows])


def _settling(connection: ConnectionId, row: Settlement) -> dict[str, Any]:
    changes = dict(vars(row))
    record, added = changes.pop("record"), changes.pop("sent")
    return {"of": connection, "which": record, "added": added, **changes}


async def forget(session: WriteSession, connection: ConnectionId) -> None:
    await session.run(delete(outgoing).where(outgoing.c.connection == connection))


async def forget_vanished(session: WriteSession, before: datetime, most: int) -> int:
    """Delete rows of records that are gone since before this moment; returns how many."""
    key = (outgoing.c.connection, outgoing.c.record)
    old = select(*key).where(outgoing.c.state == "removed", outgoing.c.updated_at < before)
    locked = old.order_by(outgoing.c.updated_at).limit(most).with_for_update(skip_locked=True)
    return await session.run(delete(outgoing).where(tuple_(*key).in_(locked)))


async def waiting_since(session: ReadSession) -> list[datetime]:
    """Since when the oldest unsent change waits, of each active connection that has one."""
    return [row["since"] for row in await session.all(_WAITING_SINCE)]


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


async def page(
    session: ReadSession,
    connection: ConnectionId,
    state: str | None,
    after: UUID | None,
    limit: int,
) -> list[OutcomeRow]:
    columns = [outgoing.c[one.name] for one in fields(OutcomeRow)]
    query = select(*columns).where(outgoing.c.connection == connection)
    if state is not None:
        query = query.where(outgoing.c.state == state)
    if after is not None:
        query = query.where(outgoing.c.record > after)
    rows = await session.all(query.order_by(outgoing.c.record).limit(limit))
    return [OutcomeRow(**row) for row in rows]
