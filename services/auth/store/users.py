"""Users of tenants and operators; one address is one user within its tenant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId, UserId
from kit.db import ReadSession, WriteSession
from services.auth.levels import Realm
from services.auth.tables import users


@dataclass(frozen=True, slots=True)
class User:
    id: UserId
    tenant: TenantId | None
    email: str
    password_hash: str | None
    level: int
    level_version: int
    invited_at: datetime
    joined_at: datetime | None

    @property
    def realm(self) -> Realm:
        return "operators" if self.tenant is None else "tenant"

    @property
    def has_joined(self) -> bool:
        return self.joined_at is not None


async def email_of(session: ReadSession, user: UserId) -> str:
    return str(await session.scalar(select(users.c.email).where(users.c.id == user)))


async def by_id(session: ReadSession, user: UserId) -> User | None:
    return _user(await session.first(select(users).where(users.c.id == user)))


async def in_realm(session: ReadSession, tenant: TenantId | None, user: UserId) -> User | None:
    query = select(users).where(_in(tenant), users.c.id == user)
    return _user(await session.first(query))


async def by_email(session: ReadSession, tenant: TenantId | None, email: str) -> User | None:
    query = select(users).where(_in(tenant), users.c.email == email)
    return _user(await session.first(query))


async def all_of(session: ReadSession, tenant: TenantId) -> list[User]:
    rows = await session.all(select(users).where(_in(tenant)).order_by(users.c.id))
    return [User(**row) for row in rows]


async def count_joined(
    session: ReadSession, tenant: TenantId | None, *, level: int | None = None
) -> int:
    """How many have accepted their invitation (of one level, where it is given)."""
    query = select(func.count()).where(_in(tenant), users.c.joined_at.is_not(None))
    if level is not None:
        query = query.where(users.c.level == level)
    return int(await session.scalar(query))


async def add(session: WriteSession, user: User) -> User:
    """The user of that address, who may have been there before; locked until the end."""
    await session.run(insert(users).values(_values(user)).on_conflict_do_nothing())
    query = select(users).where(_in(user.tenant), users.c.email == user.email)
    there = _user(await session.first(query.with_for_update()))
    assert there is not None
    return there


async def join(session: WriteSession, user: UserId, password_hash: str, now: datetime) -> bool:
    """False for a user who has joined already: a password is set once."""
    changes = update(users).values(password_hash=password_hash, joined_at=now)
    return await session.run(changes.where(_waits(user))) == 1


async def set_level(session: WriteSession, user: UserId, level: int) -> None:
    """A new level version marks all tokens that were issued before as out of date."""
    changes = update(users).values(level=level, level_version=users.c.level_version + 1)
    await session.run(changes.where(users.c.id == user))


async def lock_all(session: WriteSession) -> None:
    """One invitation of a first operator at a time."""
    await session.run(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


async def invite_again(session: WriteSession, user: UserId, level: int, now: datetime) -> bool:
    """False for a user who has joined."""
    changes = update(users).values(level=level, invited_at=now)
    return await session.run(changes.where(_waits(user))) == 1


def _in(tenant: TenantId | None) -> ColumnElement[bool]:
    """For None this renders IS NULL: the operators."""
    return users.c.tenant == tenant


def _waits(user: UserId) -> ColumnElement[bool]:
    """The user, as long as it has not joined."""
    return (users.c.id == user) & users.c.joined_at.is_(None)


def _user(row: RowMapping | None) -> User | None:
    return None if row is None else User(**row)


def _values(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in User.__slots__}


def new_user(user: UUID, tenant: TenantId | None, email: str, level: int, now: datetime) -> User:
    """Somebody who is invited and has no password yet."""
    return User(UserId(user), tenant, email, None, level, 1, now, None)
