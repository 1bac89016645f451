"""A resync's word on rows that are gone: the CRM is asked whether it has some of them again."""

from contracts.ids import ConnectionId
from kit.db import Database
from services.sync.store import connections, left_rows

_AT_ONCE = 5000  # rows in a transaction: more would take too long for one statement


async def look_again(
    db: Database, id_: ConnectionId, module: str | None, same_key: str | None
) -> None:
    """Rows of vanished records, wherever they were left, are looked for by the next push.

    That of a record which stayed by policy is among them: its key there may be another one.
    """
    for some in (left_rows.leave_some, left_rows.look_at_some):
        after: str | None = left_rows.FIRST
        while after is not None:
            async with db.write() as session:
                await connections.alone(session, id_)
                after = await some(session, id_, module, same_key, after, _AT_ONCE)
