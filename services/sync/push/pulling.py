"""Reading the journal: which records changed, saved in one transaction with how far it was read."""

from collections.abc import Sequence
from typing import Any

from contracts.clients import ChangedRecord, ChangePage, TenantsClient
from kit.db import Database
from services.sync.connection import Connection
from services.sync.crm import connection_of
from services.sync.push.lock import Overtaken
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow


async def pull(db: Database, tenants: TenantsClient, row: ConnectionRow, page_rows: int) -> None:
    """Read to the journal's end. Raises Overtaken, and what the client raises."""
    connection = connection_of(row)
    position, more = row.position, True
    while more:
        page = await tenants.changes(connection.tenant, connection.id, position, page_rows)
        await _save(db, connection, row.generation, page)
        position, more = page.position, page.more


async def _save(db: Database, connection: Connection, generation: int, page: ChangePage) -> None:
    async with db.write() as session:
        if not await connections.advance(session, connection.id, generation, page.position):
            raise Overtaken
        if page.reset:
            await outgoing.mark_all(session, connection.id)
        rows, gone = _sorted(page.rows, connection)
        await outgoing.mark(session, connection.id, rows)
        await outgoing.mark_again(session, connection.id, gone)


def _sorted(
    changed: Sequence[ChangedRecord], connection: Connection
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Present and vanished records of mapped modules, each record once: its last change counts."""
    last = {record.id: record for record in changed if record.module in connection.modules}
    rows = [
        {"record": record.id, "module": record.module, "key": record.key or str(record.id)}
        for record in last.values()
        if record.op == "upsert"
    ]
    return rows, [record.id for record in last.values() if record.op == "delete"]
