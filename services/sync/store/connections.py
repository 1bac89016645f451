"""Statements on connections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from contracts.ids import ConnectionId, TenantId
from kit.db import ReadSession, WriteSession
from services.sync.connection import ConnectionState, Missing
from services.sync.tables import connection

_NOW = func.now()
_FIRST_LOOK, _SLOWEST_LOOK = timedelta(minutes=1), timedelta(hours=6)
_MAY_SEND = (
    connection.c.state == "active",
    connection.c.suspended.is_(False),
    connection.c.to_forget.is_(None),
    or_(connection.c.retry_at.is_(None), connection.c.retry_at <= _NOW),
)


class TooMany(Exception):
    """The tenant has as many connections as it may have."""


@dataclass(frozen=True, slots=True)
class NewConnectionRow:
    """What a connection is made with; `address` is in the form of its kind."""

    id: ConnectionId
    tenant: TenantId
    name: str
    kind: str
    address: Mapping[str, Any]
    modules: Mapping[str, Mapping[str, Any]]
    missing: Missing


@dataclass(frozen=True, slots=True)
class ConnectionRow(NewConnectionRow):
    """A connection as it is; `generation` is the number of the push that may write."""

    state: ConnectionState
    reason: str
    suspended: bool
    position: str | None
    generation: int
    retry_at: datetime | None
    failures: int
    parallel_hint: int | None
    look_at: datetime | None
    looks: int
    to_forget: Mapping[str, Any] | None
    forgets: int
    pushed_at: datetime | None
    schema_changed_at: datetime | None
    schema_changes: Sequence[str]
    created_at: datetime
    updated_at: datetime

    @property
    def forgetting(self) -> bool:
        """Whether something that was believed of a CRM's rows is still to be forgotten."""
        return self.to_forget is not None

    @property
    def was_held(self) -> bool:
        """Whether there is a wait to be released from, once the CRM answers again."""
        return self.failures > 0 or self.retry_at is not None or self.looks > 0


_COLUMNS = [connection.c[one.name] for one in fields(ConnectionRow)]


async def add(session: WriteSession, row: NewConnectionRow, most: int) -> None:
    """Save a connection; TooMany where the tenant has `most`. One at a time per tenant."""
    await session.run(_lock(row.tenant))
    await require_room(session, row.tenant, most)
    values = {one.name: getattr(row, one.name) for one in fields(NewConnectionRow)}
    await session.run(insert(connection).values(**values, state="active"))


async def require_room(session: ReadSession, tenant: TenantId, most: int) -> None:
    """TooMany where the tenant has `most` connections or more; removed ones do not count."""
    if len(await of_tenant(session, tenant)) >= most:
        raise TooMany


async def get(session: ReadSession, id_: ConnectionId) -> ConnectionRow | None:
    return _row(await session.first(select(*_COLUMNS).where(connection.c.id == id_)))


async def of_tenant(
    session: ReadSession, tenant: TenantId, id_: ConnectionId | None = None
) -> list[ConnectionRow]:
    """The tenant's connections that are not removed, oldest first."""
    query = select(*_COLUMNS).where(connection.c.tenant == tenant, connection.c.state != "removed")
    if id_ is not None:
        query = query.where(connection.c.id == id_)
    return [ConnectionRow(**row) for row in await session.all(query.order_by(connection.c.id))]


async def exists(session: ReadSession, tenant: TenantId, id_: ConnectionId) -> bool:
    """Also true for a removed connection, whose ledger stays readable."""
    query = select(connection.c.id).where(connection.c.tenant == tenant, connection.c.id == id_)
    return await session.scalar(query) is not None


async def pushable(
    session: ReadSession, tenant: TenantId | None = None
) -> list[tuple[TenantId, ConnectionId]]:
    """The connections, of one tenant or all, that may send at this moment."""
    query = select(connection.c.tenant, connection.c.id).where(*_MAY_SEND)
    if tenant is not None:
        query = query.where(connection.c.tenant == tenant)
    rows = await session.all(query)
    return [(TenantId(row["tenant"]), ConnectionId(row["id"])) for row in rows]


async def count_states(session: ReadSession) -> dict[str, int]:
    """How many connections are in each state; a suspended tenant's are not asked for."""
    query = select(connection.c.state, func.count().label("connections"))
    query = query.where(connection.c.suspended.is_(False)).group_by(connection.c.state)
    return {row["state"]: row["connections"] for row in await session.all(query)}


async def begin_push(session: WriteSession, id_: ConnectionId) -> ConnectionRow | None:
    """Begin a push: none that has begun before writes any more. None where nothing may be sent."""
    query = update(connection).where(connection.c.id == id_, *_MAY_SEND)
    begun = query.values(generation=connection.c.generation + 1)
    return _row(await session.first(begun.returning(*_COLUMNS)))


async def is_current(
    session: WriteSession, id_: ConnectionId, generation: int, *, alone: bool = False
) -> bool:
    """Whether no other push has begun since; none begins before this transaction ends.

    With `alone`, neither does any other transaction that asks this.
    """
    query = select(connection.c.generation).where(connection.c.id == id_)
    return bool(await session.scalar(query.with_for_update(read=not alone)) == generation)


async def alone(session: WriteSession, id_: ConnectionId) -> None:
    """Until the transaction ends, no push of the connection begins or writes."""
    await session.scalar(select(connection.c.id).where(connection.c.id == id_).with_for_update())


async def set_state(
    session: WriteSession, id_: ConnectionId, state: str, reason: str = "", *, was: Sequence[str]
) -> bool:
    """Change the state if it is one of `was`.

    Our own back-off (failures > 0) is forgotten; a wait that the CRM asked for is not.
    """
    waits = case((connection.c.failures > 0, None), else_=connection.c.retry_at)
    changes = {"state": state, "reason": reason, "failures": 0, "retry_at": waits}
    if state == "broken":
        changes["look_at"] = _NOW + _looking(connection.c.looks)
    query = update(connection).where(connection.c.id == id_, connection.c.state.in_(was))
    return await session.run(query.values(**changes, updated_at=_NOW)) == 1


def _looking(looks: ColumnElement[int]) -> ColumnElement[timedelta]:
    """How long until a broken connection is looked at: a minute, then later each time, to hours."""
    return func.least(_FIRST_LOOK * func.power(2, func.least(looks, 16)), _SLOWEST_LOOK)


async def take_look(session: WriteSession, but_of: Sequence[TenantId] = ()) -> ConnectionRow | None:
    """The broken connection that was looked at the fewest times, and has waited longest, of those
    whose look is due; the next one is later already, so that nobody else takes it."""
    due = select(connection.c.id).where(
        connection.c.state == "broken",
        connection.c.suspended.is_(False),
        connection.c.look_at <= _NOW,
        connection.c.tenant.not_in(but_of),
    )
    ordered = due.order_by(connection.c.looks, connection.c.look_at)
    first = ordered.limit(1).with_for_update(skip_locked=True)
    looks = connection.c.looks + 1
    query = update(connection).where(connection.c.id == first.scalar_subquery())
    taken = query.values(looks=looks, look_at=_NOW + _looking(looks))
    return _row(await session.first(taken.returning(*_COLUMNS)))


async def only_changer(session: WriteSession, tenant: TenantId) -> None:
    """Until the transaction ends, nobody else adds or changes a connection of the tenant."""
    await session.run(_lock(tenant))


async def change(session: WriteSession, row: ConnectionRow) -> None:
    """Save name, address, modules and policy; what was pushed before is compared anew."""
    names = ("name", "address", "modules", "missing")
    changes = {name: getattr(row, name) for name in names}
    query = update(connection).where(connection.c.id == row.id)
    await session.run(query.values(**changes, updated_at=_NOW))
    await start_over(session, row.id)


async def leave_crm(session: WriteSession, id_: ConnectionId) -> None:
    """Another CRM, or application user, has asked for no wait, and recommends nothing yet."""
    changes = {"retry_at": None, "failures": 0, "reason": "", "parallel_hint": None}
    await session.run(update(connection).where(connection.c.id == id_).values(changes))


async def start_over(session: WriteSession, id_: ConnectionId) -> None:
    """Read everything again; a push that runs is overtaken."""
    query = update(connection).where(connection.c.id == id_)
    await session.run(query.values(position=None, generation=connection.c.generation + 1))


async def hold(
    session: WriteSession, id_: ConnectionId, until: datetime, reason: str, failures: int
) -> None:
    """Send nothing before `until`, also after a restart."""
    changes = {"retry_at": until, "reason": reason, "failures": failures, "updated_at": _NOW}
    await session.run(update(connection).where(connection.c.id == id_).values(changes))


async def lift_wait(session: WriteSession, id_: ConnectionId) -> None:
    """Forget the wait that the CRM asked for."""
    query = update(connection).where(connection.c.id == id_)
    await session.run(query.values(retry_at=None, reason="", failures=0))


async def release(session: WriteSession, id_: ConnectionId) -> None:
    """The CRM answers again."""
    changes = {"retry_at": None, "reason": "", "failures": 0, "looks": 0, "look_at": None}
    query = update(connection).where(connection.c.id == id_, connection.c.state == "active")
    held = or_(
        connection.c.failures > 0, connection.c.retry_at.is_not(None), connection.c.looks > 0
    )
    await session.run(query.where(held).values(changes))


async def note_hint(session: WriteSession, id_: ConnectionId, hint: int) -> None:
    differs = connection.c.parallel_hint.is_distinct_from(hint)
    query = update(connection).where(connection.c.id == id_, differs)
    await session.run(query.values(parallel_hint=hint))


async def note_push(session: WriteSession, id_: ConnectionId, at: datetime) -> None:
    await session.run(update(connection).where(connection.c.id == id_).values(pushed_at=at))


async def advance(session: WriteSession, id_: ConnectionId, generation: int, position: str) -> bool:
    """Save how far the journal was read; False where another push has begun, or it has to stop."""
    query = update(connection).where(
        connection.c.id == id_,
        connection.c.generation == generation,
        connection.c.state == "active",
        connection.c.suspended.is_(False),
    )
    return await session.run(query.values(position=position)) == 1


async def forget_removed(session: WriteSession, before: datetime, most: int) -> int:
    """Delete connections that were removed before this moment; returns how many."""
    gone = (
        connection.c.state == "removed",
        connection.c.to_forget.is_(None),
        connection.c.updated_at < before,
    )
    old = select(connection.c.id).where(*gone).limit(most).with_for_update(skip_locked=True)
    return await session.run(delete(connection).where(connection.c.id.in_(old)))


def _row(row: RowMapping | None) -> ConnectionRow | None:
    return None if row is None else ConnectionRow(**row)


def _lock(tenant: TenantId) -> Select[tuple[object]]:
    """Until the transaction ends, nobody else adds a connection of the tenant.

    PostgreSQL's hash and not kit.locks: a version before this one must be kept out, too.
    """
    return select(func.pg_advisory_xact_lock(func.hashtextextended(str(tenant), 0)))
