"""What a flood leaves behind is forgotten in pieces that a statement's time-out cannot stop."""

from datetime import timedelta

from sqlalchemy import text

from kit.http import parts_of
from services.auth import login, sessions
from services.auth.parts import AuthParts
from services.auth.store import attempts
from services.auth.store.sessions import BATCH as SESSIONS
from tests.services.auth.running_auth import Auth

COUNT = text("SELECT (SELECT count(*) FROM login_attempt) + (SELECT count(*) FROM session)")


async def left(auth: Auth) -> int:
    async with auth.db.read() as session:
        return int(await session.scalar(COUNT))


async def test_more_attempts_than_one_statement_deletes_are_forgotten(auth: Auth) -> None:
    many = {"many": 2 * attempts.BATCH + 1, "at": auth.clock()}
    async with auth.db.write() as session:
        rows = "SELECT uuid_send(gen_random_uuid()), 'unknown', :at FROM generate_series(1, :many)"
        await session.run(
            text(f"INSERT INTO login_attempt (name_hash, client_class, last_at) {rows}"), many
        )
    auth.clock.ahead = timedelta(days=2)
    async with auth.db.write() as session:
        assert await attempts.forget(session, auth.clock())
    assert await left(auth) == attempts.BATCH + 1
    await login.forget_old(parts_of(auth.app, AuthParts))
    assert await left(auth) == 0


async def test_more_sessions_than_one_statement_deletes_are_forgotten(auth: Auth) -> None:
    await auth.tenant("ada@a.example")
    many = {"many": 2 * SESSIONS + 1, "at": auth.clock()}
    async with auth.db.write() as session:
        rows = "SELECT gen_random_uuid(), id, :at, :at FROM users, generate_series(1, :many)"
        whose = "WHERE tenant IS NOT NULL"
        columns = "(id, user_id, started_at, ends_at)"
        await session.run(text(f"INSERT INTO session {columns} {rows} {whose}"), many)
    auth.clock.ahead = timedelta(days=40)
    await sessions.forget_old(parts_of(auth.app, AuthParts))
    await login.forget_old(parts_of(auth.app, AuthParts))
    assert await left(auth) == 0
