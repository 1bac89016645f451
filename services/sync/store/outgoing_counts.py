"""Statements that count what became of records."""

from sqlalchemy import func, select

from contracts.ids import ConnectionId
from kit.db import ReadSession
from services.sync.tables import outgoing


async def by_module(session: ReadSession, connection: ConnectionId) -> dict[str, dict[str, int]]:
    """How many records of each module are in each state."""
    of = (outgoing.c.module, outgoing.c.state)
    query = select(*of, func.count().label("rows")).group_by(*of)
    found: dict[str, dict[str, int]] = {}
    for row in await session.all(query.where(outgoing.c.connection == connection)):
        found.setdefault(row["module"], {})[row["state"]] = row["rows"]
    return found
