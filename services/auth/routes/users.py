"""A tenant's users and their levels."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from contracts.authorise import needs, permitted
from contracts.credentials import Actor
from contracts.ids import UserId
from kit.http import Read, Write
from services.auth.invitation import MANAGE_USERS
from services.auth.level_change import change_level
from services.auth.parts import With
from services.auth.schemas import LevelChange, UserList, UserView
from services.auth.sessions import present
from services.auth.store import users
from services.auth.store.users import User

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
    user: UUID,
    body: LevelChange,
    actor: Annotated[Actor, needs(MANAGE_USERS)],
    parts: With,
    session: Write,
) -> UserView:
    """Give a user another level; it holds from the user's next refresh on."""
    return _view(await change_level(session, actor, UserId(user), body.level, parts.now()))


def _view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        level=user.level,
        state="joined" if user.has_joined else "invited",
        invited_at=user.invited_at,
        joined_at=user.joined_at,
    )
