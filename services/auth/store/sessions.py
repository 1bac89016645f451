"""Sessions and their families of refresh tokens, of which only hashes are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from contracts.ids import SessionId, UserId
from kit.db import ReadSession, WriteSession
from services.auth.rotation import Presented
from services.auth.store.users import User
from services.auth.tables import refresh_token, users
from services.auth.tables import session as table

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class KnownSession:
    """A refresh token that auth has issued, with its session and user as they are now."""

    session: SessionId
    generation: int
    successor: bytes | None
    presented: Presented
    user: User


async def start(
    session: WriteSession, new: SessionId, user: UserId, now: datetime, ends: datetime
) -> None:
    await session.run(insert(table).values(id=new, user_id=user, started_at=now, ends_at=ends))


async def user_of_open(
    session: ReadSession, id_: SessionId, user: UserId, now: datetime
) -> User | None:
    """The user as it is now; None unless the session is the user's and has not ended."""
    row = await session.first(
        select(users)
        .join(table, table.c.user_id == users.c.id)
        .where(users.c.id == user, table.c.id == id_)
        .where(table.c.ended_at.is_(None), table.c.ends_at > now)
    )
    return None if row is None else User(**row)


async def end(session: WriteSession, id_: SessionId, now: datetime) -> bool:
    """True when it was open until now."""
    still_open = (table.c.id == id_) & table.c.ended_at.is_(None)
    return await session.run(update(table).where(still_open).values(ended_at=now)) == 1


async def add_token(
    session: WriteSession, id_: SessionId, generation: int, token_hash: bytes, ends: datetime
) -> None:
    values = {"hash": token_hash, "session": id_, "generation": generation, "expires_at": ends}
    await session.run(insert(refresh_token).values(values))


async def use_token(
    session: WriteSession, token_hash: bytes, successor: bytes, now: datetime
) -> None:
    changes = update(refresh_token).values(used_at=now, successor=successor)
    await session.run(changes.where(refresh_token.c.hash == token_hash))


async def lock_token(session: WriteSession, token_hash: bytes) -> KnownSession | None:
    """The token as it is; refreshes of the same session wait for the end of this transaction."""
    owner = select(refresh_token.c.session).where(refresh_token.c.hash == token_hash)
    locked = select(table).where(table.c.id == owner.scalar_subquery()).with_for_update()
    its_session = await session.first(locked)
    if its_session is None:
        return None
    id_: UUID = its_session["id"]
    newest = select(func.max(refresh_token.c.generation)).where(refresh_token.c.session == id_)
    token = await session.first(
        select(refresh_token, newest.scalar_subquery().label("newest")).where(
            refresh_token.c.hash == token_hash
        )
    )
    user = await session.first(select(users).where(users.c.id == its_session["user_id"]))
    if token is None or user is None:
        return None
    presented = Presented(
        used_at=token["used_at"],
        generations_behind=token["newest"] - token["generation"],
        expires_at=token["expires_at"],
        session_ends_at=its_session["ends_at"],
        session_ended_at=its_session["ended_at"],
    )
    return KnownSession(
        SessionId(id_), token["generation"], token["successor"], presented, User(**user)
    )


async def forget(session: WriteSession, before: datetime) -> bool:
    """Some that ended before, with their tokens; False once none are left."""
    gone = func.least(table.c.ends_at, table.c.ended_at) < before
    some = select(table.c.id).where(gone).limit(BATCH)
    return await session.run(delete(table).where(table.c.id.in_(some))) > 0
