"""Who the caller is, and the public keys by which anybody can check it."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs_login, public
from contracts.credentials import Actor
from kit.http import Read
from kit.problems import NotAuthenticated
from services.auth.access_tokens import actor_for
from services.auth.parts import With
from services.auth.schemas import KeySet, Me
from services.auth.store import sessions, users

router = APIRouter()


@router.get("/v1/me")
async def me(actor: Annotated[Actor, needs_login()], parts: With, session: Read) -> Me:
    """The user as it is now, with each granted permission and its scope."""
    user = await users.by_id(session, actor.user)
    if user is None or not await sessions.is_open(session, actor.session, parts.now()):
        raise NotAuthenticated("the session has ended")
    grants = actor_for(user, actor.session).grants
    return Me(
        user=user.id,
        realm=user.realm,
        tenant=user.tenant,
        email=user.email,
        level=user.level,
        access={permission: scope.name.lower() for permission, scope in grants.items()},
    )


@router.get("/.well-known/jwks.json", dependencies=[public()])
async def key_set(parts: With, response: Response) -> KeySet:
    """The public keys of access tokens (RFC 7517, Ed25519 only)."""
    response.headers["cache-control"] = "public, max-age=30"
    return KeySet.model_validate(parts.tokens.key_set())
