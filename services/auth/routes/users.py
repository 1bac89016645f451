"""A tenant's users and their levels; unlocking them, and operators."""

from typing import Annotated

from fastapi import APIRouter

from contracts.authorise import needs, needs_operator, permitted
from contracts.caller import Calling
from contracts.credentials import Actor
from contracts.ids import UserId
from kit.http import Read
from services.auth.invitation import MANAGE_USERS
from services.auth.level_change import change_level
from services.auth.parts import With
from services.auth.schemas import LevelChange, UserList, UserView
from services.auth.sessions import present
from services.auth.store import users
from services.auth.store.users import User
from services.auth.unlock import UNLOCK_OPERATORS, unlock

VIEW_USERS = "configuration.users_view"
router = APIRouter()


@router.get("/t/{tenant}/v1/users")
async def list_users(
    actor: Annotated[Actor, needs(VIEW_USERS)], parts: With, session: Read
) -> UserList:
    """Everybody of the tenant, in the order of their invitation."""
    actor = permitted(await present(session, actor, parts.now()), VIEW_USERS)
    assert actor.tenant is not None
    return UserList(users=[_view(user) for user in await users.all_of(session, actor.tenant)])


@router.put("/t/{tenant}/v1/users/{user}/level")
async def put_level(
    user: UserId,
    body: LevelChange,
    actor: Annotated[Actor, needs(MANAGE_USERS)],
    caller: Calling,
    parts: With,
) -> UserView:
    """Give a user another level; it holds from the user's next refresh on."""
    return _view(await change_level(parts, caller, actor, user, body.level))


@router.delete("/t/{tenant}/v1/users/{user}/lockout", status_code=204)
async def unlock_user(
    user: UserId, actor: Annotated[Actor, needs(MANAGE_USERS)], caller: Calling, parts: With
) -> None:
    """Forget the faulty logins of a user, so that the next one is looked at; there may be none."""
    await unlock(parts, caller, actor, user, MANAGE_USERS)


@router.delete("/v1/operators/{user}/lockout", status_code=204)
async def unlock_operator(
    user: UserId,
    actor: Annotated[Actor, needs_operator(UNLOCK_OPERATORS)],
    caller: Calling,
    parts: With,
) -> None:
    """Forget the faulty logins of an operator. A tenant's users are its administrators' business:
    an operator who could unlock them could help somebody guess."""
    await unlock(parts, caller, actor, user, UNLOCK_OPERATORS)


def _view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        level=user.level,
        state="joined" if user.has_joined else "invited",
        invited_at=user.invited_at,
        joined_at=user.joined_at,
    )
