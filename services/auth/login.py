"""Logins: a name that exists and one that does not give the same answers after the same work.

Attempts on one name are looked at one after the other (its row is locked while the password is
checked), so a burst of guesses gets no more tries than a slow row of them.
"""

from datetime import timedelta

from contracts.events import AccountLocked
from contracts.ids import TenantId
from contracts.problems import TenantSuspended
from kit import outbox
from kit.db import WriteSession
from kit.problems import Problem
from services.auth import lockout
from services.auth.lockout import Attempts, ClientClass
from services.auth.parts import Parts
from services.auth.problems import LoginBlocked, LoginFailed
from services.auth.schemas import Tokens
from services.auth.sessions import open_session
from services.auth.store import attempts, tenants, users
from services.auth.store.users import User

_FORGET_AFTER = timedelta(days=1)


async def log_in(parts: Parts, tenant: TenantId | None, email: str, password: str) -> Tokens:
    async with parts.passwords.turn(), parts.db.write() as session:
        outcome = await _attempt(parts, session, tenant, email, password)
    # raised after the commit: the count of faulty logins must outlive the refusal
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


async def forget_old(parts: Parts) -> None:
    async with parts.db.write() as session:
        await attempts.forget(session, parts.now() - _FORGET_AFTER)


async def _attempt(
    parts: Parts, session: WriteSession, tenant: TenantId | None, email: str, password: str
) -> Tokens | Problem:
    now = parts.now()
    name = attempts.name_of(tenant, email, ClientClass.UNKNOWN)
    so_far = await attempts.lock(session, name, now)
    if wait := lockout.blocked_for(so_far, now):
        return LoginBlocked(wait)
    user = await users.by_email(session, tenant, email)
    right = await parts.passwords.verify(password, user.password_hash if user else None)
    if user is None or not right:
        counted = lockout.after_faulty(so_far, now)
        await attempts.save(session, name, counted)
        return await _refuse(session, user, counted)
    await attempts.save(session, name, Attempts())
    if tenant is not None and await tenants.state(session, tenant) != "active":
        return TenantSuspended()
    return await open_session(parts, session, user)


async def _refuse(session: WriteSession, user: User | None, counted: Attempts) -> Problem:
    if counted.blocked_until is None:
        return LoginFailed()
    if user is not None:
        notice = AccountLocked(tenant=user.tenant, user=user.id, until=counted.blocked_until)
        await outbox.add(session, notice)
    return LoginBlocked(lockout.BLOCK)
