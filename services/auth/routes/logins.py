"""Logging in, carrying a session on, and logging out."""

from typing import Annotated

from fastapi import APIRouter

from contracts.authorise import needs_login, public
from contracts.caller import Calling
from contracts.credentials import Actor
from contracts.ids import TenantId
from services.auth import login, sessions
from services.auth.parts import With
from services.auth.schemas import LoginRequest, Refresh, TokenPair

router = APIRouter()


@router.post("/v1/operators/login", dependencies=[public()])
async def log_in_operator(body: LoginRequest, caller: Calling, parts: With) -> TokenPair:
    """Log in as an operator of the platform."""
    password = body.password.get_secret_value()
    return await login.log_in(parts, caller, None, body.email, password)


@router.post("/t/{tenant}/v1/login", dependencies=[public()])
async def log_in_user(
    tenant: TenantId, body: LoginRequest, caller: Calling, parts: With
) -> TokenPair:
    """Log in as a user of the tenant; an unknown tenant answers like a wrong password."""
    password = body.password.get_secret_value()
    return await login.log_in(parts, caller, tenant, body.email, password)


@router.post("/v1/operators/sessions/refresh", dependencies=[public()])
async def refresh_operator(body: Refresh, caller: Calling, parts: With) -> TokenPair:
    """Exchange a refresh token of an operator; each works once."""
    return await sessions.refresh(parts, caller, None, body.refresh_token.get_secret_value())


@router.post("/t/{tenant}/v1/sessions/refresh", dependencies=[public()])
async def refresh_user(tenant: TenantId, body: Refresh, caller: Calling, parts: With) -> TokenPair:
    """Exchange a refresh token of a user of the tenant; each works once."""
    token = body.refresh_token.get_secret_value()
    return await sessions.refresh(parts, caller, tenant, token)


@router.post("/v1/logout", status_code=204)
async def log_out(actor: Annotated[Actor, needs_login()], caller: Calling, parts: With) -> None:
    """End the session of the token; doing it again changes nothing."""
    await sessions.log_out(parts, caller, actor)
