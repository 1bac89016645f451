"""Reading the journal: which records changed, saved in one transaction with how far it was read."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Self
from uuid import UUID

from contracts.clients import ChangedRecord, ChangePage, TenantsClient
from contracts.ids import ConnectionId
from kit.db import Database, WriteSession
from kit.supervisor import end, spawn
from services.sync.connection import Connection
from services.sync.crm import connection_of
from services.sync.push.lock import Overtaken
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow
from services.sync.store.outgoing import Marked

_AT_ONCE = 5000


class Pull:
    """Reads to the journal's end beside the sending of what has been read.

    `same_key` brings a key into the form in which the CRM compares it.
    """

    def __init__(
        self,
        db: Database,
        tenants: TenantsClient,
        row: ConnectionRow,
        page_rows: int,
        same_key: Callable[[str], str],
    ) -> None:
        self._db, self._tenants, self._row = db, tenants, row
        self._page_rows, self._same_key = page_rows, same_key
        self._has_page = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = spawn(self._run(), "pull")
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._task is not None
        await end(self._task)

    async def more(self) -> bool:
        """Wait for what has been read since the last time; False where all was read before that.

        Raises Overtaken, and what the client raises.
        """
        assert self._task is not None
        if self._task.done() and not self._has_page.is_set():
            self._task.result()
            return False
        page = spawn(self._has_page.wait(), "page")
        try:
            await asyncio.wait({page, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            page.cancel()  # also when the push is cut here: nothing else would ever end it
        if self._task.done():
            self._task.result()
        self._has_page.clear()
        return True

    async def _run(self) -> None:
        connection = connection_of(self._row)
        position, more = self._row.position, True
        while more:
            page = await self._tenants.changes(
                connection.tenant, connection.id, position, self._page_rows
            )
            if page.reset:
                await _mark_all(self._db, connection.id, self._row.generation)
            await _save(self._db, connection, self._row.generation, page, self._same_key)
            position, more = page.position, page.more
            if page.rows or page.reset:
                self._has_page.set()


async def _mark_all(db: Database, connection: ConnectionId, generation: int) -> None:
    """A part in each transaction, and all before the position says so: until then it is done anew
    by whoever reads next. Raises Overtaken."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        async with db.write() as session:
            if not await connections.is_current(session, connection, generation, alone=True):
                raise Overtaken
            after = await outgoing.mark_some(session, connection, after, _AT_ONCE)


async def _save(
    db: Database,
    connection: Connection,
    generation: int,
    page: ChangePage,
    same_key: Callable[[str], str],
) -> None:
    async with db.write() as session:
        if not await connections.advance(session, connection.id, generation, page.position):
            raise Overtaken
        rows, gone = _sorted(page.rows, connection, same_key)
        await _wake_heirs(session, connection, rows)
        await outgoing.mark(session, connection.id, rows)
        await outgoing.mark_again(session, connection.id, gone)


async def _wake_heirs(
    session: WriteSession, connection: Connection, rows: Sequence[Marked]
) -> None:
    """Whoever waited for a key that its record has given up may have it now."""
    had = await outgoing.same_keys(session, connection.id, [row.record for row in rows])
    left = dict[str, list[str]]()
    for row in rows:
        key = had.get(row.record)
        if key is not None and key != row.same_key:
            left.setdefault(row.module, []).append(key)
    for module, keys in left.items():
        await outgoing.wake_parked(session, connection.id, module, keys)


def _sorted(
    changed: Sequence[ChangedRecord], connection: Connection, same_key: Callable[[str], str]
) -> tuple[list[Marked], list[UUID]]:
    """Present and vanished records of mapped modules, each record once: its last change counts."""
    last = {record.id: record for record in changed if record.module in connection.modules}
    rows = [
        Marked(record.id, record.module, key, same_key(key))
        for record in last.values()
        for key in (record.key or str(record.id),)
        if record.op == "upsert"
    ]
    return rows, [record.id for record in last.values() if record.op == "delete"]
