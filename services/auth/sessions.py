"""Sessions: opened by a login, carried on by refresh tokens that each work once, ended for good."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.caller import Caller
from contracts.credentials import Actor
from contracts.events import SessionRevoked
from contracts.ids import SessionId, TenantId, new_id
from contracts.problems import TenantIsSuspended
from kit import outbox
from kit.db import ReadSession, WriteSession
from kit.problems import NotAuthenticated, Problem
from services.auth import account_log, secret_text
from services.auth.access_tokens import actor_for
from services.auth.account_log import Event, LoginReason
from services.auth.parts import AuthParts
from services.auth.problems import SessionEnded
from services.auth.rotation import REFRESH_LIFETIME, SESSION_LIFETIME, TokenMeaning, judge
from services.auth.schemas import TokenPair
from services.auth.store import sessions, tenants, users
from services.auth.store.sessions import KnownSession
from services.auth.store.users import User

_KEEP_ENDED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Refreshed:
    """The answer, and what the log says of it; `known` None for a token that is nobody's here."""

    answer: TokenPair | Problem
    known: KnownSession | None
    event: Event
    reason: LoginReason | None = None


async def open_session(parts: AuthParts, session: WriteSession, user: User) -> TokenPair:
    now, id_, refresh = parts.now(), SessionId(new_id()), secret_text.fresh()
    await sessions.start(session, id_, user.id, now, now + SESSION_LIFETIME)
    ends = now + REFRESH_LIFETIME
    await sessions.add_token(session, id_, 0, secret_text.hashed(refresh), ends)
    return _answer(parts, user, id_, refresh)


async def refresh(
    parts: AuthParts, caller: Caller, tenant: TenantId | None, token: str
) -> TokenPair:
    """Fresh tokens for a refresh token of the realm; ends the session where one was stolen."""
    async with parts.db.write() as session:
        done = await _refresh(parts, session, tenant, token)
    # told and raised after the commit: ending a session must outlive the refusal
    user = done.known.user.id if done.known else None
    id_ = done.known.session if done.known else None
    account_log.write(done.event, caller, tenant, user, reason=done.reason, session=id_)
    if isinstance(done.answer, Problem):
        raise done.answer
    return done.answer


async def log_out(parts: AuthParts, caller: Caller, actor: Actor) -> None:
    """End the session of the token; doing it again changes nothing."""
    async with parts.db.write() as session:
        user = await users.by_id(session, actor.user)
        ended = user and await end_session(session, user, actor.session, parts.now())
    if ended:
        reason, id_ = LoginReason.LOGGED_OUT, actor.session
        account_log.write(
            Event.REVOKED, caller, actor.tenant, actor.user, reason=reason, session=id_
        )


async def end_session(session: WriteSession, user: User, id_: SessionId, now: datetime) -> bool:
    """End it and tell everybody; ending it again does nothing and gives False."""
    if not await sessions.end(session, id_, now):
        return False
    notice = SessionRevoked(tenant=user.tenant, user=user.id, session=id_)
    await outbox.add(session, notice)
    return True


async def present(session: ReadSession, actor: Actor, now: datetime) -> Actor:
    """The actor of a token as it is now; NotAuthenticated once its session has ended.

    A token says what was true when it was issued. What decides about users asks here.
    """
    user = await sessions.user_of_open(session, actor.session, actor.user, now)
    if user is None:
        raise NotAuthenticated("the session has ended")
    return actor_for(user, actor.session)


async def forget_old(parts: AuthParts) -> None:
    before, more = parts.now() - _KEEP_ENDED, True
    while more:
        async with parts.db.write() as session:
            more = await sessions.forget(session, before)


async def _refresh(
    parts: AuthParts, session: WriteSession, tenant: TenantId | None, token: str
) -> _Refreshed:
    known = await sessions.lock_token(session, secret_text.hashed(token))
    if known is None or known.user.tenant != tenant:
        return _Refreshed(SessionEnded(), None, Event.REFRESH_FAILED, LoginReason.UNKNOWN_TOKEN)
    if tenant is not None and await tenants.state(session, tenant) != "active":
        reason = LoginReason.TENANT_NOT_ACTIVE
        return _Refreshed(TenantIsSuspended(), known, Event.REFRESH_FAILED, reason)
    match judge(known.presented, parts.now()):
        case TokenMeaning.ROTATE:
            tokens = await _rotate(parts, session, known, token)
            return _Refreshed(tokens, known, Event.REFRESHED)
        case TokenMeaning.REPEAT:
            assert known.successor is not None
            successor = secret_text.open_under(token, known.successor)
            tokens = _answer(parts, known.user, known.session, successor)
            return _Refreshed(tokens, known, Event.REFRESHED)
        case TokenMeaning.REUSED:
            await end_session(session, known.user, known.session, parts.now())
            return _Refreshed(SessionEnded(), known, Event.REVOKED, LoginReason.REUSED)
        case TokenMeaning.ENDED:
            return _Refreshed(SessionEnded(), known, Event.REFRESH_FAILED, LoginReason.ENDED)


async def _rotate(
    parts: AuthParts, session: WriteSession, known: KnownSession, token: str
) -> TokenPair:
    now, successor = parts.now(), secret_text.fresh()
    sealed = secret_text.seal_under(token, successor)
    await sessions.use_token(session, secret_text.hashed(token), sealed, now)
    ends = min(now + REFRESH_LIFETIME, known.presented.session_ends_at)
    generation = known.generation + 1
    await sessions.add_token(
        session, known.session, generation, secret_text.hashed(successor), ends
    )
    return _answer(parts, known.user, known.session, successor)


def _answer(parts: AuthParts, user: User, id_: SessionId, refresh_token: str) -> TokenPair:
    access = parts.tokens.issue(user, id_, parts.now())
    return TokenPair(access_token=access, refresh_token=refresh_token)
