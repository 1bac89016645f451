"""Sessions: opened by a login, carried on by refresh tokens that each work once, ended for good."""

from datetime import datetime, timedelta

from contracts.credentials import Actor
from contracts.events import SessionRevoked
from contracts.ids import SessionId, TenantId, new_id
from contracts.problems import TenantSuspended
from kit import outbox
from kit.db import ReadSession, WriteSession
from kit.problems import NotAuthenticated, Problem
from services.auth import secret_text
from services.auth.access_tokens import actor_for
from services.auth.parts import Parts
from services.auth.problems import SessionEnded
from services.auth.rotation import REFRESH_LIFETIME, SESSION_LIFETIME, Meaning, judge
from services.auth.schemas import Tokens
from services.auth.store import sessions, tenants
from services.auth.store.sessions import Known
from services.auth.store.users import User

_KEEP_ENDED = timedelta(days=1)


async def open_session(parts: Parts, session: WriteSession, user: User) -> Tokens:
    now, which, refresh = parts.now(), SessionId(new_id()), secret_text.fresh()
    await sessions.start(session, which, user.id, now, now + SESSION_LIFETIME)
    ends = now + REFRESH_LIFETIME
    await sessions.add_token(session, which, 0, secret_text.hashed(refresh), ends)
    return _answer(parts, user, which, refresh)


async def refresh(parts: Parts, tenant: TenantId | None, token: str) -> Tokens:
    """Fresh tokens for a refresh token of the realm; ends the session where one was stolen."""
    async with parts.db.write() as session:
        outcome = await _refresh(parts, session, tenant, token)
    # raised after the commit: ending a session must outlive the refusal
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


async def end_session(session: WriteSession, user: User, which: SessionId, now: datetime) -> None:
    """End it and tell everybody; ending it again does nothing."""
    if await sessions.end(session, which, now):
        notice = SessionRevoked(tenant=user.tenant, user=user.id, session=which)
        await outbox.add(session, notice)


async def present(session: ReadSession, actor: Actor, now: datetime) -> Actor:
    """The actor of a token as it is now; NotAuthenticated once its session has ended.

    A token says what was true when it was issued. What decides about users asks here.
    """
    user = await sessions.user_of_open(session, actor.session, actor.user, now)
    if user is None:
        raise NotAuthenticated("the session has ended")
    return actor_for(user, actor.session)


async def forget_old(parts: Parts) -> None:
    async with parts.db.write() as session:
        await sessions.forget(session, parts.now() - _KEEP_ENDED)


async def _refresh(
    parts: Parts, session: WriteSession, tenant: TenantId | None, token: str
) -> Tokens | Problem:
    known = await sessions.lock_token(session, secret_text.hashed(token))
    if known is None or known.user.tenant != tenant:
        return SessionEnded()
    if tenant is not None and await tenants.state(session, tenant) != "active":
        return TenantSuspended()
    match judge(known.presented, parts.now()):
        case Meaning.ROTATE:
            return await _rotate(parts, session, known, token)
        case Meaning.REPEAT:
            assert known.successor is not None
            successor = secret_text.open_under(token, known.successor)
            return _answer(parts, known.user, known.session, successor)
        case Meaning.REUSED:
            await end_session(session, known.user, known.session, parts.now())
    return SessionEnded()


async def _rotate(parts: Parts, session: WriteSession, known: Known, token: str) -> Tokens:
    now, successor = parts.now(), secret_text.fresh()
    sealed = secret_text.seal_under(token, successor)
    await sessions.use_token(session, secret_text.hashed(token), sealed, now)
    ends = min(now + REFRESH_LIFETIME, known.presented.session_ends_at)
    generation = known.generation + 1
    await sessions.add_token(
        session, known.session, generation, secret_text.hashed(successor), ends
    )
    return _answer(parts, known.user, known.session, successor)


def _answer(parts: Parts, user: User, which: SessionId, refresh_token: str) -> Tokens:
    access = parts.tokens.issue(user, which, parts.now())
    return Tokens(access_token=access, refresh_token=refresh_token)
