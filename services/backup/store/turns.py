"""Turns: at most one run at a time per tenant, and the session in which alone a run may write."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, Table, and_, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import Database, WriteSession
from services.backup.tables import turn

LONGEST = timedelta(hours=2)

FencedSession = NewType("FencedSession", WriteSession)
"""A session of a run that has its tenant's turn until the commit; only `fence` makes one."""


class TurnLost(Exception):
    """Another process holds the tenant's turn: this run must not change anything any more."""


@dataclass(frozen=True)
class Turn:
    """A tenant's turn in the hand of one run. The holder is new at each claim, so whoever was
    overtaken does not get it back, not even where nobody has it now."""

    db: Database
    tenant: TenantId
    holder: UUID

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[FencedSession]:
        """Write what a run has to say; TurnLost where it has been overtaken.

        Nobody takes the turn while the block lasts: so what is done to the vault in it is done
        by the one holder, too. It is to be short.
        """
        async with self.db.write() as session:
            yield await fence(session, self.tenant, self.holder)

    async def require(self) -> None:
        """TurnLost where this run has been overtaken by now."""
        async with self.write():
            pass


async def take(
    session: WriteSession, tenant: UUID, holder: UUID, now: datetime, expires_at: datetime
) -> bool:
    """Take a tenant's turn where it is free."""
    values = {"tenant": tenant, "holder": holder, "expires_at": expires_at}
    free = (
        insert(turn)
        .values(values)
        .on_conflict_do_update(
            index_elements=[turn.c.tenant],
            set_={"holder": holder, "expires_at": expires_at},
            where=~_lasts(now),
        )
    )
    return await session.run(free) == 1


async def renew(
    session: WriteSession, tenant: TenantId, holder: UUID, expires_at: datetime
) -> bool:
    """Keep a turn; False where it was lost."""
    where = (turn.c.tenant == tenant, turn.c.holder == holder)
    return await session.run(update(turn).where(*where).values(expires_at=expires_at)) == 1


async def fence(session: WriteSession, tenant: TenantId, holder: UUID) -> FencedSession:
    """Raise TurnLost unless the turn is still ours; it stays so until the session commits."""
    where = (turn.c.tenant == tenant, turn.c.holder == holder)
    if await session.first(select(turn).where(*where).with_for_update()) is None:
        raise TurnLost
    return FencedSession(session)


async def give_up(session: WriteSession, tenant: TenantId, holder: UUID) -> None:
    where = (turn.c.tenant == tenant, turn.c.holder == holder)
    await session.run(delete(turn).where(*where))


def is_taken(table: Table, now: datetime) -> Exists:
    """Whether somebody has the turn of the tenant that a row of `table` belongs to."""
    return exists().where(turn.c.tenant == table.c.tenant, _lasts(now))


def _lasts(now: datetime) -> ColumnElement[bool]:
    """Whether a turn holds; one that ends later than any turn was taken by a wrong clock."""
    return and_(turn.c.expires_at > now, turn.c.expires_at <= now + LONGEST)
