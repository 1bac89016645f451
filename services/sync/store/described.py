"""Statements on what CRMs have said of the tables that modules go into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import ConnectionId
from kit.db import ReadSession, WriteSession
from services.sync.tables import connection, described


@dataclass(frozen=True, slots=True)
class DescribedRow:
    """`facts` are those of `fingerprint`."""

    fingerprint: str
    facts: Mapping[str, Any]


async def get(session: ReadSession, id_: ConnectionId, module: str) -> DescribedRow | None:
    query = select(described.c.fingerprint, described.c.facts)
    row = await session.first(
        query.where(described.c.connection == id_, described.c.module == module)
    )
    return None if row is None else DescribedRow(**row)


async def put(session: WriteSession, id_: ConnectionId, module: str, fresh: DescribedRow) -> None:
    facts = dict(fresh.facts)
    changes = {"fingerprint": fresh.fingerprint, "facts": facts, "seen_at": func.now()}
    upsert = insert(described).values(connection=id_, module=module, **changes)
    await session.run(
        upsert.on_conflict_do_update(index_elements=["connection", "module"], set_=changes)
    )


async def forget(session: WriteSession, id_: ConnectionId, modules: Sequence[str]) -> None:
    """What was said of the tables that these modules went into, and what has changed there."""
    of_modules = (described.c.connection == id_, described.c.module.in_(modules))
    await session.run(delete(described).where(*of_modules))
    query = update(connection).where(connection.c.id == id_)
    await session.run(query.values(schema_changed_at=None, schema_changes=[]))


async def note_changes(session: WriteSession, id_: ConnectionId, words: Sequence[str]) -> None:
    """For the connection's view: what has changed last, and when that was seen."""
    query = update(connection).where(connection.c.id == id_)
    await session.run(query.values(schema_changed_at=func.now(), schema_changes=list(words)))
