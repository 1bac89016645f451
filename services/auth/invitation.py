"""Invitations: the only way in; one-time, hashed at rest, and nobody invites above themselves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.access import Grants
from contracts.caller import Caller
from contracts.events import UserInvited, UserJoined
from contracts.ids import TenantId, UserId, new_id
from kit import outbox
from kit.db import Database, WriteSession
from kit.problems import NotPermitted, RequestInvalid
from services.auth import account_log, passwords, secret_text
from services.auth.account_log import Event, LoginReason
from services.auth.levels import ADMINISTRATOR, LEVELS
from services.auth.parts import AuthParts
from services.auth.problems import InvitationNotValid, TenantHasUsers, UserExists
from services.auth.store import invitations, tenants, users
from services.auth.store.users import User, new_user

MANAGE_USERS = "configuration.users_manage"
INVITE_AS_OPERATOR = "operator.invite"
LIFETIME = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Invitation:
    """`token` is shown to the inviter once and kept nowhere."""

    user: UserId
    token: str
    expires_at: datetime


def level_grants(tenant: TenantId | None, level: int) -> Grants:
    """The grants of a shipped level of the realm; RequestInvalid for any other number."""
    levels = LEVELS["operators" if tenant is None else "tenant"]
    if level not in levels:
        known = ", ".join(map(str, sorted(levels)))
        message = f"is not a level: there are {known}"
        raise RequestInvalid(errors=[{"pointer": "/level", "message": message}])
    return levels[level].grants


def check_may_give(own: Grants, given: Grants) -> None:
    if not own.covers(given):
        raise NotPermitted("nobody grants what they do not have")


async def invite(
    session: WriteSession, tenant: TenantId | None, email: str, level: int, now: datetime
) -> Invitation:
    """Invite, or invite again who has not joined yet: the earlier invitation stops working."""
    user = await users.add(session, new_user(new_id(), tenant, email, level, now))
    if not await users.invite_again(session, user.id, level, now):
        raise UserExists
    token, ends = secret_text.fresh(), now + LIFETIME
    await invitations.put(session, user.id, secret_text.hashed(token), ends)
    await outbox.add(session, UserInvited(tenant=tenant, user=user.id))
    return Invitation(user.id, token, ends)


async def invite_first_user(
    session: WriteSession, tenant: TenantId, email: str, level: int, now: datetime
) -> Invitation:
    """By an operator, until somebody has joined: later users are the tenant's own business."""
    await tenants.lock(session, tenant)
    if await users.count_joined(session, tenant):
        raise TenantHasUsers
    return await invite(session, tenant, email, level, now)


async def invite_first_operator(db: Database, email: str, now: datetime) -> Invitation:
    """For the command line, as long as no operator has joined; UserExists afterwards."""
    async with db.write() as session:
        await users.lock_all(session)
        if await users.count_joined(session, None):
            raise UserExists
        return await invite(session, None, email, ADMINISTRATOR, now)


async def accept(
    parts: AuthParts, caller: Caller, tenant: TenantId | None, token: str, password: str
) -> UserId:
    """Join with a password; the invitation is used up."""
    hashed, now = secret_text.hashed(token), parts.now()
    async with parts.db.read() as reading:
        user = await invitations.find(reading, tenant, hashed, now)
    try:
        joined = await _join(parts, caller, user, hashed, password)
    except (InvitationNotValid, RequestInvalid) as refused:
        weak = isinstance(refused, RequestInvalid)
        reason = LoginReason.WEAK_PASSWORD if weak else LoginReason.NOT_VALID
        account_log.write(
            Event.NOT_ACCEPTED, caller, tenant, user.id if user else None, reason=reason
        )
        raise
    account_log.write(Event.ACCEPTED, caller, tenant, joined)
    return joined


async def _join(
    parts: AuthParts, caller: Caller, user: User | None, hashed: bytes, password: str
) -> UserId:
    if user is None:
        raise InvitationNotValid
    if reason := passwords.weakness(password, email=user.email):
        raise RequestInvalid(errors=[{"pointer": "/password", "message": reason}])
    async with parts.seating.seat(user.tenant, caller) as seat:
        password_hash = await seat.hash(password)
    async with parts.db.write() as session:
        # the user first, then the invitation: inviting again locks them in the same order
        if not await users.join(session, user.id, password_hash, parts.now()):
            raise InvitationNotValid
        if not await invitations.take(session, hashed):
            raise InvitationNotValid
        await outbox.add(session, UserJoined(tenant=user.tenant, user=user.id))
    return user.id
