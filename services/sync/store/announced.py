"""Statements on what has been announced of connections, and what is still to be."""

from datetime import datetime

from sqlalchemy import case, delete, literal, select
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import ConnectionId, TenantId
from kit.db import WriteSession
from services.sync.tables import announced, connection


async def is_first(
    session: WriteSession, id_: ConnectionId, subject: str, now: datetime, long_ago: datetime
) -> bool:
    """Whether it was not announced since `long_ago`; if it was, it will be again."""
    row = {"connection": id_, "subject": subject, "at": now}
    adding = insert(announced).values(row)
    lately = announced.c.at > long_ago
    upsert = adding.on_conflict_do_update(
        index_elements=["connection", "subject"],
        set_={"at": case((lately, announced.c.at), else_=literal(now)), "again": lately},
    )
    return not await session.scalar(upsert.returning(announced.c.again))


async def take_again(
    session: WriteSession, subject: str, long_ago: datetime, most: int
) -> list[tuple[TenantId, ConnectionId]]:
    """Take those whose repetition is due, of connections that are there."""
    due = (announced.c.subject == subject, announced.c.again, announced.c.at <= long_ago)
    some = select(announced.c.connection).where(*due).order_by(announced.c.at).limit(most)
    taking = delete(announced).where(
        announced.c.subject == subject,
        announced.c.connection.in_(some.with_for_update(skip_locked=True)),
    )
    taken = [
        row["connection"] for row in await session.all(taking.returning(announced.c.connection))
    ]
    query = select(connection.c.tenant, connection.c.id).where(
        connection.c.id.in_(taken), connection.c.state != "removed"
    )
    return [(TenantId(row["tenant"]), ConnectionId(row["id"])) for row in await session.all(query)]
