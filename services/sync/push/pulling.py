"""Reading the journal: which records changed, saved in one transaction with how far it was read."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.clients import ChangedRecord, ChangePage, TenantsClient
from kit.db import Database, WriteSession
from services.sync.connection import Connection
from services.sync.crm import connection_of
from services.sync.push.lock import Overtaken
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow


async def pull(
    db: Database,
    tenants: TenantsClient,
    row: ConnectionRow,
    page_rows: int,
    same_key: Callable[[str], str],
) -> None:
    """Read to the journal's end. Raises Overtaken, and what the client raises.

    `same_key` brings a key into the form in which the CRM compares it.
    """
    connection = connection_of(row)
    position, more = row.position, True
    while more:
        page = await tenants.changes(connection.tenant, connection.id, position, page_rows)
        await _save(db, connection, row.generation, page, same_key)
        position, more = page.position, page.more


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
        if page.reset:
            await outgoing.mark_all(session, connection.id)
        rows, gone = _sorted(page.rows, connection, same_key)
        await _wake_heirs(session, connection, rows)
        await outgoing.mark(session, connection.id, rows)
        await outgoing.mark_again(session, connection.id, gone)


async def _wake_heirs(
    session: WriteSession, connection: Connection, rows: Sequence[dict[str, Any]]
) -> None:
    """Whoever waited for a key that its record has given up may have it now."""
    had = await outgoing.same_keys(session, connection.id, [row["record"] for row in rows])
    left = dict[str, list[str]]()
    for row in rows:
        key = had.get(row["record"])
        if key is not None and key != row["same_key"]:
            left.setdefault(row["module"], []).append(key)
    for module, keys in left.items():
        await outgoing.wake_parked(session, connection.id, module, keys)


def _sorted(
    changed: Sequence[ChangedRecord], connection: Connection, same_key: Callable[[str], str]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Present and vanished records of mapped modules, each record once: its last change counts."""
    last = {record.id: record for record in changed if record.module in connection.modules}
    rows = [
        {"record": record.id, "module": record.module, "key": key, "same_key": same_key(key)}
        for record in last.values()
        for key in (record.key or str(record.id),)
        if record.op == "upsert"
    ]
    return rows, [record.id for record in last.values() if record.op == "delete"]
