"""Statements of a push on the rows it sends: intent before, settlement after; a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal,
    not_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from contracts.ids import ConnectionId
from kit.db import WriteSession
from services.sync.connection import OutcomeState
from services.sync.store.arrays import among, arrays_of, given_rows
from services.sync.tables import outgoing


@dataclass(frozen=True)
class Intent:
    """What is about to leave for a record: `in_flight` counts as unknown until it is settled.

    `crm_key` and `crm_id` are those of the row that it owns from now on; null: as before.
    """

    record: UUID
    in_flight: Mapping[str, str]
    crm_key: str | None = None
    crm_id: str | None = None


@dataclass(frozen=True)
class Settlement:
    """The new state of one row; `sent` are the hashes that change.

    The end of the call that left at `left_at` is known now: `doubted_at` is that of an earlier one
    that is still doubted. Without `left_at` nothing is said of it.
    Where `owns` it is said anew which row of the CRM the record has: none, where `crm_key` is null,
    and then nothing is known of it any more.
    """

    record: UUID
    state: OutcomeState
    not_before: datetime
    attempts: int = 0
    failing_since: datetime | None = None
    reason: str = ""
    code: str = ""
    detail: bytes | None = None
    sent: Mapping[str, str] = field(default_factory=dict)
    owns: bool = False
    crm_key: str | None = None
    crm_id: str | None = None
    is_inactive: bool = False
    left_at: datetime | None = None
    doubted_at: datetime | None = None


_SETTLED: dict[str, TypeEngine[Any]] = {
    "record": Uuid(),
    "state": Text(),
    "not_before": DateTime(timezone=True),
    "attempts": Integer(),
    "failing_since": DateTime(timezone=True),
    "reason": Text(),
    "code": Text(),
    "detail": LargeBinary(),
    "sent": JSONB(),
    "owns": Boolean(),
    "crm_key": Text(),
    "crm_id": Text(),
    "is_inactive": Boolean(),
    "left_at": DateTime(timezone=True),
    "doubted_at": DateTime(timezone=True),
    "marked": Integer(),
}
_INTENDED: dict[str, TypeEngine[Any]] = {
    "record": Uuid(),
    "in_flight": JSONB(),
    "crm_key": Text(),
    "crm_id": Text(),
}
_NOTHING = literal({}, JSONB)


def _settling() -> Update:
    given = given_rows(_SETTLED).c
    is_none = and_(given.owns, given.crm_key.is_(None))
    known = case((is_none, _NOTHING), else_=outgoing.c.sent)
    is_last = given.marked == outgoing.c.marked
    told = ("state", "not_before", "attempts", "failing_since", "reason", "code", "detail")
    placed = ("crm_key", "crm_id", "is_inactive")
    return _of_given(given).values(
        **{name: case((is_last, given[name]), else_=outgoing.c[name]) for name in told},
        **{name: case((given.owns, given[name]), else_=outgoing.c[name]) for name in placed},
        sent=case((is_last, known.concat(given.sent)), else_=known),
        recreates=and_(outgoing.c.recreates, not_(and_(is_last, given.state == "ok"))),
        updated_at=func.now(),
        doubted_at=case(
            (given.left_at == outgoing.c.doubted_at, given.doubted_at), else_=outgoing.c.doubted_at
        ),
    )


def _intending() -> Update:
    given = given_rows(_INTENDED).c
    return _of_given(given).values(
        sent=outgoing.c.sent.concat(given.in_flight),
        crm_key=func.coalesce(given.crm_key, outgoing.c.crm_key),
        crm_id=func.coalesce(given.crm_id, outgoing.c.crm_id),
        doubted_at=bindparam("left_at", type_=DateTime(timezone=True)),
    )


def _of_given(given: Any) -> Update:
    where = (outgoing.c.connection == bindparam("of"), outgoing.c.record == given.record)
    return update(outgoing).where(*where)


_SETTLE, _INTEND = _settling(), _intending()


async def intend(
    session: WriteSession,
    connection: ConnectionId,
    intents: Sequence[Intent],
    left_at: datetime | None,
) -> None:
    """Before sending: forget the hashes of the fields in flight, and say who owns which row.

    The call is doubted until its end is known.
    """
    if intents:
        given = {"of": connection, "left_at": left_at}
        await session.run(_INTEND, given | arrays_of(intents, _INTENDED))


async def settle(
    session: WriteSession,
    connection: ConnectionId,
    rows: Sequence[Settlement],
    marked: Mapping[UUID, int],
) -> None:
    """What was decided when the rows had been `marked` so often: one that was marked since has to
    be looked at again all the same, and what was sent for it stays in flight."""
    if rows:
        arrays = arrays_of(rows, _SETTLED.keys() - {"marked"})
        times = {"all_marked": [marked[row.record] for row in rows]}
        await session.run(_SETTLE, {"of": connection} | arrays | times)


async def give_up_rows(
    session: WriteSession, connection: ConnectionId, records: Sequence[UUID]
) -> None:
    """These vanished records own no row of the CRM any more: others take theirs over."""
    if records:
        where = (outgoing.c.connection == connection, among(outgoing.c.record, records))
        nothing = {"crm_key": None, "crm_id": None, "is_inactive": False, "sent": _NOTHING}
        await session.run(update(outgoing).where(*where).values(nothing))
