"""Changing a user's level: nobody gives or takes more than they have, one administrator stays."""

from datetime import datetime

from contracts.authorise import permitted
from contracts.caller import Caller
from contracts.credentials import Actor
from contracts.events import LevelChanged
from contracts.ids import TenantId, UserId
from kit import outbox
from kit.db import WriteSession
from kit.problems import NotFound
from services.auth import account_log
from services.auth.account_log import Event
from services.auth.invitation import MANAGE_USERS, check_may_give, level_grants
from services.auth.levels import ADMINISTRATOR
from services.auth.parts import AuthParts
from services.auth.problems import LastAdministrator
from services.auth.sessions import present
from services.auth.store import tenants, users
from services.auth.store.users import User


async def change_level(
    parts: AuthParts, caller: Caller, actor: Actor, user: UserId, level: int
) -> User:
    """The user with the new level; tokens carry it from their next refresh on."""
    async with parts.db.write() as session:
        before, after = await _change(session, actor, user, level, parts.now())
    if before.level != after.level:
        account_log.write(
            Event.LEVEL_CHANGED, caller, actor.tenant, user, actor=actor.user, level=level
        )
    return after


async def _change(
    session: WriteSession, actor: Actor, user: UserId, level: int, now: datetime
) -> tuple[User, User]:
    """The user before and after."""
    assert actor.tenant is not None
    new = level_grants(actor.tenant, level)
    await tenants.lock(session, actor.tenant)
    # asked under the lock: of two who demote each other, the second has lost the right to
    own = permitted(await present(session, actor, now), MANAGE_USERS).grants
    target = await _target(session, actor.tenant, user)
    check_may_give(own, level_grants(actor.tenant, target.level))
    check_may_give(own, new)
    if target.level == level:
        return target, target
    if await _is_last_administrator(session, actor.tenant, target):
        raise LastAdministrator
    await users.set_level(session, user, level)
    await outbox.add(session, LevelChanged(tenant=actor.tenant, user=user))
    return target, await _target(session, actor.tenant, user)


async def _is_last_administrator(session: WriteSession, tenant: TenantId, target: User) -> bool:
    if target.level != ADMINISTRATOR or not target.has_joined:
        return False
    return await users.count_joined(session, tenant, level=ADMINISTRATOR) == 1


async def _target(session: WriteSession, tenant: TenantId, user: UserId) -> User:
    target = await users.in_realm(session, tenant, user)
    if target is None:
        raise NotFound
    return target
