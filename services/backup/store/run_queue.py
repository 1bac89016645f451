"""The queue of one kind of run: the rows of a table, claimed one by one in their tenants' turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, RowMapping, Table, exists, func, select, update

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.backup.store import turns
from services.backup.store.turns import FencedSession


class Job(Protocol):
    """A run that was claimed; each kind knows more of it. `trace` is that of who asked for it,
    empty where nothing of that is kept."""

    @property
    def tenant(self) -> TenantId: ...

    @property
    def trace(self) -> str: ...


J = TypeVar("J", bound=Job, covariant=True)


@dataclass(frozen=True)
class RunQueue(Generic[J]):
    """`read` makes a job of a row; `open_states` are those of a run that was begun and not ended.

    `at_claim` is what a claim changes besides the state.
    """

    table: Table
    read: Callable[[RowMapping], J]
    open_states: tuple[str, ...] = ("running",)
    at_claim: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)

    async def claim(
        self,
        session: WriteSession,
        holder: UUID,
        now: datetime,
        expires_at: datetime,
        before: Sequence["RunQueue[Any]"] = (),
    ) -> J | None:
        """The oldest queued run of a tenant whose turn is free; the turn is the holder's then.

        Not of a tenant for whom a run is queued in one of the queues `before` this one: its turn
        may have become free since they were asked.
        """
        table, [key] = self.table, self.table.primary_key.columns
        earlier = (~queue._has_queued_for(table) for queue in before)
        queued = select(table).where(
            table.c.state == "queued", ~turns.is_taken(table, now), *earlier
        )
        oldest = queued.order_by(key).limit(1).with_for_update(skip_locked=True, of=table)
        row = await session.first(oldest)
        if row is None:
            return None
        if not await turns.take(session, row["tenant"], holder, now, expires_at):
            return None
        values = {"state": "running", "started_at": now, **self.at_claim}
        await session.run(update(table).where(key == row[key]).values(values))
        begun = await session.first(select(table).where(key == row[key]))
        assert begun is not None
        return self.read(begun)

    def _has_queued_for(self, other: Table) -> Exists:
        """Whether a run of this kind waits for the tenant that a row of `other` belongs to."""
        table = self.table
        return exists().where(table.c.tenant == other.c.tenant, table.c.state == "queued")

    async def abandoned(self, session: ReadSession, now: datetime, most: int) -> list[TenantId]:
        """Tenants with a run that was begun while nobody holds their turn.

        At most so many, by chance: those that cannot be healed yet hold up no other.
        """
        table = self.table
        where = (table.c.state.in_(self.open_states), ~turns.is_taken(table, now))
        some = select(table.c.tenant).where(*where).order_by(func.random()).limit(most)
        return [TenantId(row["tenant"]) for row in await session.all(some)]

    async def left_open(self, session: FencedSession, tenant: TenantId) -> J | None:
        """What the holders before have begun and not ended: a tenant has one open run at most."""
        table = self.table
        where = (table.c.tenant == tenant, table.c.state.in_(self.open_states))
        row = await session.first(select(table).where(*where))
        return None if row is None else self.read(row)
