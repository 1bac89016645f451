"""Logins: a name that exists and one that does not give the same answers after the same work.

Attempts on one name are looked at one after the other (its row is locked while the password is
checked), so a burst of guesses gets no more tries than a slow row of them.
"""

from dataclasses import dataclass
from datetime import timedelta

from contracts.caller import Caller
from contracts.events import AccountLocked
from contracts.ids import TenantId, UserId
from contracts.problems import TenantIsSuspended
from kit import outbox
from kit.db import WriteSession
from kit.problems import Problem
from services.auth import account_log, lockout
from services.auth.account_log import Event, LoginReason
from services.auth.lockout import Attempts, ClientClass
from services.auth.parts import AuthParts
from services.auth.problems import LoginBlocked, LoginFailed
from services.auth.schemas import TokenPair
from services.auth.seating import Seat
from services.auth.sessions import open_session
from services.auth.store import attempts, tenants, users
from services.auth.store.users import User

_FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The answer, and what the log says of it; `user` None where there is no such name."""

    answer: TokenPair | Problem
    user: UserId | None
    event: Event
    reason: LoginReason | None = None


async def log_in(
    parts: AuthParts, caller: Caller, tenant: TenantId | None, email: str, password: str
) -> TokenPair:
    async with parts.seating.seat(tenant, caller) as seat, parts.db.write() as session:
        outcome = await _attempt(parts, seat, session, tenant, email, password)
    # told and raised after the commit: the count of faulty logins must outlive the refusal
    account_log.write(outcome.event, caller, tenant, outcome.user, reason=outcome.reason)
    if outcome.event is Event.LOGIN_FAILED and isinstance(outcome.answer, LoginBlocked):
        account_log.write(Event.LOCKED, caller, tenant, outcome.user)
    if isinstance(outcome.answer, Problem):
        raise outcome.answer
    return outcome.answer


async def forget_old(parts: AuthParts) -> None:
    before, more = parts.now() - _FORGET_AFTER, True
    while more:
        async with parts.db.write() as session:
            more = await attempts.forget(session, before)


async def _attempt(
    parts: AuthParts,
    seat: Seat,
    session: WriteSession,
    tenant: TenantId | None,
    email: str,
    password: str,
) -> _Outcome:
    now = parts.now()
    name = attempts.name_of(tenant, email, ClientClass.UNKNOWN)
    so_far = await attempts.lock(session, name, now)
    user = await users.by_email(session, tenant, email)
    known = user.id if user else None
    if wait := lockout.blocked_for(so_far, now):
        return _Outcome(LoginBlocked(wait), known, Event.LOGIN_BLOCKED, LoginReason.LOCKED)
    right = await seat.verify(password, user.password_hash if user else None)
    if user is None or not right:
        counted = lockout.after_faulty(so_far, now)
        await attempts.save(session, name, counted)
        refusal = await _refuse(session, user, counted)
        return _Outcome(refusal, known, Event.LOGIN_FAILED, _why(user))
    await attempts.save(session, name, Attempts())
    if tenant is not None and await tenants.state(session, tenant) != "active":
        reason = LoginReason.TENANT_NOT_ACTIVE
        return _Outcome(TenantIsSuspended(), known, Event.LOGIN_FAILED, reason)
    return _Outcome(await open_session(parts, session, user), known, Event.LOGGED_IN)


def _why(user: User | None) -> LoginReason:
    if user is None:
        return LoginReason.UNKNOWN_NAME
    return LoginReason.WRONG_PASSWORD if user.has_joined else LoginReason.NOT_JOINED


async def _refuse(session: WriteSession, user: User | None, counted: Attempts) -> Problem:
    if counted.blocked_until is None:
        return LoginFailed()
    if user is not None:
        notice = AccountLocked(tenant=user.tenant, user=user.id, until=counted.blocked_until)
        await outbox.add(session, notice)
    return LoginBlocked(lockout.BLOCK)
