"""Statements on calls whose end is unknown: what they carry may come to the CRM late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, case, select, tuple_, update
from sqlalchemy.types import TypeEngine

from contracts.ids import ConnectionId
from kit.db import WriteSession
from services.sync.store.arrays import arrays_of, given_rows
from services.sync.store.outgoing import AGAIN, UNKNOWN
from services.sync.tables import outgoing


@dataclass(frozen=True)
class Doubt:
    """A call that left for a record; `doubted_at` is that of the one before it, if it was so."""

    record: UUID
    left_at: datetime | None
    doubted_at: datetime | None


_ENDED: dict[str, TypeEngine[Any]] = {
    "record": Uuid(),
    "left_at": DateTime(timezone=True),
    "doubted_at": DateTime(timezone=True),
}
_GIVEN = given_rows(_ENDED).c
_END = (
    update(outgoing)
    .where(outgoing.c.connection == bindparam("of"), outgoing.c.record == _GIVEN.record)
    .where(outgoing.c.doubted_at == _GIVEN.left_at)
    .values(doubted_at=_GIVEN.doubted_at)
)


async def end(session: WriteSession, connection: ConnectionId, ended: Sequence[Doubt]) -> None:
    """These calls did not take place, or their end is known; another one since is still doubted."""
    if ended:
        await session.run(_END, {"of": connection} | arrays_of(ended, _ENDED))


async def look_again(
    session: WriteSession, connection: ConnectionId, before: datetime, most: int
) -> int:
    """So many at most of the rows that were doubted before this moment are sent whole once more:
    whatever was to come late has come. How many."""
    key = (outgoing.c.connection, outgoing.c.record)
    old = select(*key).where(outgoing.c.connection == connection, outgoing.c.doubted_at < before)
    is_done = outgoing.c.state.in_(("ok", "empty"))
    again = {name: case((is_done, value), else_=outgoing.c[name]) for name, value in AGAIN.items()}
    changes = {**again, "sent": UNKNOWN, "doubted_at": None}
    locked = old.order_by(outgoing.c.doubted_at).limit(most).with_for_update()
    query = update(outgoing).where(tuple_(*key).in_(locked)).values(changes)
    return await session.run(query)
