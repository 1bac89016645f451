"""Logging in, carrying a session on, and logging out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from contracts.authorise import needs_login, public
from contracts.credentials import Actor
from contracts.ids import TenantId
from kit.http import Write
from services.auth import login, sessions
from services.auth.parts import With
from services.auth.schemas import Login, Refresh, Tokens
from services.auth.store import users

router = APIRouter()


@router.post("/v1/operators/login", dependencies=[public()])
async def log_in_operator(body: Login, parts: With) -> Tokens:
    """Log in as an operator of the platform."""
    return await login.log_in(parts, None, body.email, body.password.get_secret_value())


@router.post("/t/{tenant}/v1/login", dependencies=[public()])
async def log_in_user(tenant: UUID, body: Login, parts: With) -> Tokens:
    """Log in as a user of the tenant; an unknown tenant answers like a wrong password."""
    password = body.password.get_secret_value()
    return await login.log_in(parts, TenantId(tenant), body.email, password)


@router.post("/v1/operators/sessions/refresh", dependencies=[public()])
async def refresh_operator(body: Refresh, parts: With) -> Tokens:
    """Exchange a refresh token of an operator; each works once."""
    return await sessions.refresh(parts, None, body.refresh_token.get_secret_value())


@router.post("/t/{tenant}/v1/sessions/refresh", dependencies=[public()])
async def refresh_user(tenant: UUID, body: Refresh, parts: With) -> Tokens:
    """Exchange a refresh token of a user of the tenant; each works once."""
    token = body.refresh_token.get_secret_value()
    return await sessions.refresh(parts, TenantId(tenant), token)


@router.post("/v1/logout", status_code=204)
async def log_out(actor: Annotated[Actor, needs_login()], parts: With, session: Write) -> None:
    """End the session of the token; doing it again changes nothing."""
    user = await users.by_id(session, actor.user)
    if user is not None:
        await sessions.end_session(session, user, actor.session, parts.now())
