"""Who the caller is, and the public keys by which anybody can check it."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs_login, public
from contracts.credentials import Actor
from kit.http import Read
from services.auth.parts import With
from services.auth.schemas import KeySetDocument, Me
from services.auth.sessions import present
from services.auth.store import users

router = APIRouter()


@router.get("/v1/me")
async def me(actor: Annotated[Actor, needs_login()], parts: With, session: Read) -> Me:
    """The user as it is now, with each granted permission and its scope."""
    actor = await present(session, actor, parts.now())
    return Me(
        user=actor.user,
        realm=actor.realm,
        tenant=actor.tenant,
        email=await users.email_of(session, actor.user),
        level=actor.level,
        access={permission: scope.name.lower() for permission, scope in actor.grants.items()},
    )


@router.get("/.well-known/jwks.json", dependencies=[public()])
async def key_set(parts: With, response: Response) -> KeySetDocument:
    """The public keys of access tokens (RFC 7517, Ed25519 only)."""
    response.headers["cache-control"] = "public, max-age=30"
    return KeySetDocument.model_validate(parts.tokens.key_set())
