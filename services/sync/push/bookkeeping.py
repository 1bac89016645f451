"""What is written down of a module's rows: before a call, after it, and where none took place."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from kit.db import WriteSession
from services.sync.announcing import rows_parked
from services.sync.connection import Connection
from services.sync.push.fence import Fence
from services.sync.push.owning import Owning
from services.sync.push.plan import Item
from services.sync.push.record import RunRecord
from services.sync.push.settlements import keys_left
from services.sync.store import connections, doubts, outgoing, settling
from services.sync.store.outgoing import DueRow
from services.sync.store.settling import Settlement

_ROWS = Counter("bulkhead_sync_rows", "Rows sent to CRMs by what became of them.", ["state"])


@dataclass
class Books:
    """Each deed is one transaction, or a part of the session that it is given; raises Overtaken.

    `busy` are the records on their way. `answered` counts the rows that the CRM has answered for;
    `was_held` where the connection has still to be released from a wait that is over.
    """

    fence: Fence
    record: RunRecord
    connection: Connection
    module: str
    busy: Collection[UUID]
    was_held: bool = False
    answered: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        mapping = self.connection.modules[self.module]
        self._owning = Owning(self.connection.id, self.module, mapping)

    async def begin(
        self,
        session: WriteSession,
        due: Sequence[DueRow],
        settled: Sequence[Settlement],
        items: Sequence[Item],
        left_at: datetime,
    ) -> None:
        """What was planned: some rows are settled, the others are about to leave."""
        standing = await self._settle(session, {row.record: row for row in due}, settled)
        await self.record.note(session, standing, called=False)
        heirs = [item.heir_of for item in items if item.heir_of is not None]
        await settling.give_up_rows(session, self.connection.id, heirs)
        await settling.intend(session, self.connection.id, [item.intent for item in items], left_at)

    async def learn(self, items: Sequence[Item]) -> None:
        """Ids that were looked up, before these rows go: afterwards there may be another row with
        the key."""
        if items:
            async with self.fence.writing() as session:
                intents, left_at = [item.intent for item in items], items[0].left_at
                await settling.intend(session, self.connection.id, intents, left_at)

    async def end(self, items: Sequence[Item], rows: Sequence[Settlement]) -> None:
        """What the CRM has answered; its wait is over."""
        if not rows:
            return
        async with self.fence.writing() as session:
            accepted = {row.record for row in rows if row.state == "ok"}
            gone = [item.displaces for item in items if item.displaces and item.record in accepted]
            await self._owning.give_up(session, gone)
            known = {item.record: item.row for item in items}
            standing = await self._settle(session, known, rows)
            await self.record.note(session, standing, called=True)
        await self._release()
        for row in rows:
            _ROWS.labels(row.state).inc()
        self.answered += len(rows)

    async def recall(self, items: Sequence[Item]) -> None:
        """Nothing has left for these, or it was not carried out for certain."""
        if items:
            async with self.fence.writing() as session:
                await doubts.end(session, self.connection.id, [item.doubt for item in items])

    async def _settle(
        self, session: WriteSession, rows: Mapping[UUID, DueRow], settled: Sequence[Settlement]
    ) -> Sequence[Settlement]:
        """The settlements, and what others were waiting for; those that stand: without whoever is
        parked and woken in one step."""
        settled = await self._owning.arranged(session, rows, settled, self.busy)
        marked = {record: row.marked for record, row in rows.items()}
        await settling.settle(session, self.connection.id, settled, marked)
        left = keys_left(rows, settled)
        await outgoing.wake_parked(session, self.connection.id, self.module, left)
        standing = [
            one for one in settled if one.state != "parked" or rows[one.record].same_key not in left
        ]
        if any(one.state == "parked" != rows[one.record].state for one in standing):
            await rows_parked(session, self.connection.tenant, self.connection.id)
        return standing

    async def _release(self) -> None:
        """The CRM answers again, where the connection was held when the push began."""
        if self.was_held:
            self.was_held = False
            async with self.fence.writing(alone=True) as session:
                await connections.release(session, self.connection.id)
