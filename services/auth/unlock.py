"""Unlocking a name before its block ends: tenants unlock their users, operators one another."""

from contracts.authorise import permitted
from contracts.caller import Caller
from contracts.credentials import Actor
from contracts.ids import UserId
from kit.problems import NotFound
from services.auth import account_log
from services.auth.account_log import Event
from services.auth.parts import AuthParts
from services.auth.sessions import present
from services.auth.store import attempts, users

UNLOCK_OPERATORS = "operator.unlock"


async def unlock(
    parts: AuthParts, caller: Caller, actor: Actor, user: UserId, permission: str
) -> None:
    """Forget the faulty logins of a user of the actor's own realm; there may be none."""
    async with parts.db.write() as session:
        permitted(await present(session, actor, parts.now()), permission)
        target = await users.in_realm(session, actor.tenant, user)
        if target is None:
            raise NotFound
        await attempts.clear(session, actor.tenant, target.email)
    account_log.write(Event.UNLOCKED, caller, actor.tenant, user, actor=actor.user)
