"""Statements that count what became of records, and say how long what is due has waited."""

from datetime import datetime

from sqlalchemy import func, select, text

from contracts.ids import ConnectionId
from kit.db import ReadSession
from services.sync.tables import outgoing

_WAITING_SINCE = text("""
SELECT min(oldest.waiting_since) AS since
FROM connection
CROSS JOIN LATERAL jsonb_object_keys(connection.modules) AS mapped (module)
CROSS JOIN LATERAL (
    SELECT waiting_since FROM outgoing
    WHERE outgoing.connection = connection.id AND outgoing.module = mapped.module
        AND outgoing.state IN ('pending', 'retry')
    ORDER BY waiting_since LIMIT 1
) AS oldest
WHERE connection.state = 'active' AND NOT connection.suspended
GROUP BY connection.id ORDER BY since""")


async def by_module(session: ReadSession, connection: ConnectionId) -> dict[str, dict[str, int]]:
    """How many records of each module are in each state."""
    of = (outgoing.c.module, outgoing.c.state)
    query = select(*of, func.count().label("rows")).group_by(*of)
    found: dict[str, dict[str, int]] = {}
    for row in await session.all(query.where(outgoing.c.connection == connection)):
        found.setdefault(row["module"], {})[row["state"]] = row["rows"]
    return found


async def waiting_since(session: ReadSession) -> list[datetime]:
    """Since when the oldest unsent change waits, of each active connection that has one."""
    return [row["since"] for row in await session.all(_WAITING_SINCE)]
