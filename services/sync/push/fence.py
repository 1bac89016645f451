"""What a push may do only as long as no other push of its connection has begun."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.ids import ConnectionId
from kit import clock
from kit.db import Database, ReadSession, WriteSession
from services.sync.push.lock import Overtaken
from services.sync.store import connections, outgoing, settling
from services.sync.store.connections import ConnectionRow
from services.sync.store.settling import Intent


class Stopped(Exception):
    """The connection has to wait or needs a person; what is due stays due."""


def may_send(row: ConnectionRow, now: datetime) -> bool:
    """Whether anything may go out over the connection of this row."""
    held = row.retry_at is not None and row.retry_at > now
    return row.state == "active" and not row.suspended and not row.forgetting and not held


@dataclass(frozen=True)
class Fence:
    """`generation` is the number that this push took when it began, `forgets` how often something
    had been forgotten by then."""

    db: Database
    connection: ConnectionId
    generation: int
    forgets: int = 0

    @contextlib.asynccontextmanager
    async def writing(self, *, alone: bool = False) -> AsyncIterator[WriteSession]:
        """A transaction in which no other push begins; raises Overtaken where one has begun.

        Whoever writes to the connection's own row has to be `alone`: two batches that settle at
        once would wait for each other for ever.
        """
        async with self.db.write() as session:
            if not await self._is_current(session, alone=alone):
                raise Overtaken
            yield session

    async def require_permission(self, session: ReadSession) -> None:
        """What was allowed when the push began may have been taken back since."""
        row = await connections.get(session, self.connection)
        if row is None or not may_send(row, clock.now()):
            raise Stopped("the connection may not send any more")
        if row.generation != self.generation:
            raise Overtaken

    async def doubt(self, intents: Sequence[Intent]) -> None:
        """What has just left may have reached the CRM after what another push has sent: it is in
        flight once more, and looked at again. Raises Overtaken where there was another.

        Whose row is whose was written down before it left, and may have been changed since. Where
        something was forgotten since, it went into a row that is not the record's own any more.
        """
        async with self.db.write() as session:
            if await self._is_current(session, alone=True):
                return
            if await self._is_of_these_rows(session):
                unknown = [replace(intent, crm_key=None, crm_id=None) for intent in intents]
                await settling.intend(session, self.connection, unknown, clock.now())
            records = [intent.record for intent in intents]
            await outgoing.mark_again(session, self.connection, records)
        raise Overtaken

    async def _is_current(self, session: WriteSession, *, alone: bool = False) -> bool:
        return await connections.is_current(session, self.connection, self.generation, alone=alone)

    async def _is_of_these_rows(self, session: ReadSession) -> bool:
        row = await connections.get(session, self.connection)
        return row is not None and row.forgets == self.forgets
