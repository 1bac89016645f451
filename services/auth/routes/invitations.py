"""Inviting and joining: there is no other way to become a user."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs, needs_operator, permitted, public
from contracts.caller import Caller, Calling
from contracts.credentials import Actor
from contracts.ids import TenantId
from kit.http import created
from services.auth import account_log, invitation
from services.auth.account_log import Event
from services.auth.invitation import (
    INVITE_AS_OPERATOR,
    MANAGE_USERS,
    Invitation,
    check_may_give,
    level_grants,
)
from services.auth.parts import With
from services.auth.schemas import Acceptance, Invited, Joined, OperatorInvitation, UserInvitation
from services.auth.sessions import present

router = APIRouter()


@router.post("/v1/invitations", status_code=201)
async def invite_by_operator(
    body: OperatorInvitation,
    actor: Annotated[Actor, needs_operator(INVITE_AS_OPERATOR)],
    caller: Calling,
    parts: With,
    response: Response,
) -> Invited:
    """Invite another operator (tenant null), or a tenant's first users until one has joined."""
    tenant, now = body.tenant, parts.now()
    given = level_grants(tenant, body.level)
    if tenant is not None:
        await parts.known_tenants.check_open(tenant)
    async with parts.db.write() as session:
        own = permitted(await present(session, actor, now), INVITE_AS_OPERATOR).grants
        if tenant is None:
            check_may_give(own, given)
            made = await invitation.invite(session, None, body.email, body.level, now)
        else:
            made = await invitation.invite_first_user(session, tenant, body.email, body.level, now)
    created(response, _accepted_at(tenant))
    return _made(made, caller, actor, tenant)


@router.post("/t/{tenant}/v1/users/invitations", status_code=201)
async def invite_user(
    body: UserInvitation,
    actor: Annotated[Actor, needs(MANAGE_USERS)],
    caller: Calling,
    parts: With,
    response: Response,
) -> Invited:
    """Invite a user of the tenant to a level that grants nothing the inviter does not have."""
    now = parts.now()
    async with parts.db.write() as session:
        actor = permitted(await present(session, actor, now), MANAGE_USERS)
        check_may_give(actor.grants, level_grants(actor.tenant, body.level))
        made = await invitation.invite(session, actor.tenant, body.email, body.level, now)
    created(response, _accepted_at(actor.tenant))
    return _made(made, caller, actor, actor.tenant)


@router.post("/v1/operators/invitations/accept", dependencies=[public()])
async def accept_as_operator(body: Acceptance, caller: Calling, parts: With) -> Joined:
    """Become an operator with a password of one's own."""
    return await _accept(parts, caller, None, body)


@router.post("/t/{tenant}/v1/invitations/accept", dependencies=[public()])
async def accept_as_user(
    tenant: TenantId, body: Acceptance, caller: Calling, parts: With
) -> Joined:
    """Become a user of the tenant with a password of one's own."""
    return await _accept(parts, caller, tenant, body)


def _accepted_at(tenant: TenantId | None) -> str:
    """Where an invitation is for: nobody can read one, it can only be accepted."""
    realm = "/v1/operators" if tenant is None else f"/t/{tenant}/v1"
    return f"{realm}/invitations/accept"


async def _accept(parts: With, caller: Caller, tenant: TenantId | None, body: Acceptance) -> Joined:
    token, password = body.token.get_secret_value(), body.password.get_secret_value()
    return Joined(user=await invitation.accept(parts, caller, tenant, token, password))


def _made(made: Invitation, caller: Caller, actor: Actor, tenant: TenantId | None) -> Invited:
    account_log.write(Event.INVITED, caller, tenant, made.user, actor=actor.user)
    return Invited(invitation=made.token, expires_at=made.expires_at)
