"""Statements that take nothing for granted of what the CRM holds, part by part."""

from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update

from contracts.ids import ConnectionId
from kit.db import WriteSession
from services.sync.store.outgoing import AGAIN, UNKNOWN, change_next
from services.sync.tables import outgoing

_ANEW: dict[str, Any] = {**AGAIN, "sent": UNKNOWN, "recreates": True}
_IS_THERE = or_(outgoing.c.state != "removed", outgoing.c.code == "row-deleted")


async def some_records(
    session: WriteSession,
    connection: ConnectionId,
    after: UUID | None,
    most: int,
    unkeyed_of: str | None = None,
) -> tuple[int, UUID | None]:
    """Nothing that was sent counts as there any more: the next records are sent whole. How many,
    and the last of them, None where there are no more.

    Among them are those whose row was deleted in the CRM and that were forgotten for it. With
    `unkeyed_of` those of a module whose keys have not been compared yet.
    """
    of_rows = [_IS_THERE]
    if unkeyed_of is not None:
        of_rows += [outgoing.c.module == unkeyed_of, outgoing.c.same_key.is_(None)]
    found = await change_next(session, connection, after or UUID(int=0), most, of_rows, _ANEW)
    return len(found), max(found) if len(found) == most else None


async def of_module(
    session: WriteSession, connection: ConnectionId, module: str, after: str | None, most: int
) -> tuple[int, str | None]:
    """The same for the next records of a module, by their keys as the CRM compares them: what other
    modules have costs nothing."""
    part = [outgoing.c.connection == connection, outgoing.c.module == module]
    if after is not None:
        part.append(outgoing.c.same_key > after)
    following = select(outgoing.c.same_key).where(*part).order_by(outgoing.c.same_key)
    last: str | None = await session.scalar(following.offset(most - 1).limit(1))
    part.append(outgoing.c.same_key.is_not(None) if last is None else outgoing.c.same_key <= last)
    return await session.run(update(outgoing).where(*part, _IS_THERE).values(_ANEW)), last


async def of_key(
    session: WriteSession, connection: ConnectionId, module: str, same_key: str
) -> int:
    """The same for the records with this key."""
    of_module = (outgoing.c.connection == connection, outgoing.c.module == module)
    of_key = update(outgoing).where(*of_module, outgoing.c.same_key == same_key, _IS_THERE)
    return await session.run(of_key.values(_ANEW))
