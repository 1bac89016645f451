"""The admin API of the address lists: operators for all, tenants' administrators for their own."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from contracts.authorise import needs, needs_operator
from contracts.credentials import Actor
from contracts.ids import TenantId
from gateway import allowlists
from gateway.allowlists import ListChange
from gateway.parts import GatewayParts, With
from gateway.schemas import AllowlistIn, AllowlistOut
from gateway.store import GLOBAL
from kit.http import Read

router = APIRouter(tags=["allowlists"])

_LIVE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The edge enforces the new list"},
    202: {
        "description": "Stored and published, but the edge could not be asked",
        "model": AllowlistOut,
    },
}
Operator = Annotated[Actor, needs_operator("allowlist.view")]
EditingOperator = Annotated[Actor, needs_operator("allowlist.edit")]
Administrator = Annotated[Actor, needs("configuration.ip_allowlist")]


@router.get("/v1/allowlists/global")
async def read_global_allowlist(actor: Operator, db: Read) -> AllowlistOut:
    """Addresses that may reach the edge at all."""
    return await _read(db, GLOBAL)


@router.put("/v1/allowlists/global", responses=_LIVE)
async def replace_global_allowlist(
    actor: EditingOperator,
    body: AllowlistIn,
    request: Request,
    parts: With,
    response: Response,
    force: bool = False,
) -> AllowlistOut:
    """Replace the global list; 409 where it would lock the caller out and `force` is not set."""
    must_hold = None if force else _caller(request)
    return await _replace(parts, response, ListChange(GLOBAL, body.ranges, actor.user, must_hold))


@router.get("/v1/allowlists/{tenant}")
async def read_tenant_allowlist(tenant: TenantId, actor: Operator, db: Read) -> AllowlistOut:
    """Addresses that may reach a tenant."""
    return await _read(db, str(tenant))


@router.put("/v1/allowlists/{tenant}", responses=_LIVE)
async def replace_tenant_allowlist(
    tenant: TenantId, actor: EditingOperator, body: AllowlistIn, parts: With, response: Response
) -> AllowlistOut:
    """Give a tenant its list, or replace it; without one nobody reaches the tenant."""
    return await _replace(parts, response, ListChange(str(tenant), body.ranges, actor.user))


@router.get("/t/{tenant}/v1/allowlist")
async def read_allowlist(tenant: TenantId, actor: Administrator, db: Read) -> AllowlistOut:
    """Addresses that may reach this tenant."""
    return await _read(db, str(tenant))


@router.put("/t/{tenant}/v1/allowlist", responses=_LIVE)
async def replace_allowlist(
    tenant: TenantId,
    actor: Administrator,
    body: AllowlistIn,
    request: Request,
    parts: With,
    response: Response,
    force: bool = False,
) -> AllowlistOut:
    """Replace this tenant's list; 409 where it would lock the caller out and `force` is not set."""
    must_hold = None if force else _caller(request)
    change = ListChange(str(tenant), body.ranges, actor.user, must_hold)
    return await _replace(parts, response, change)


def _caller(request: Request) -> str:
    """The address that the edge saw; it strips this header from what clients send."""
    return request.headers.get("x-gw-client", "")


async def _read(db: Read, scope: str) -> AllowlistOut:
    found = await allowlists.read(db, scope)
    return AllowlistOut(ranges=found.ranges, changed_at=found.changed_at)


async def _replace(parts: GatewayParts, response: Response, change: ListChange) -> AllowlistOut:
    new, live = await allowlists.replace(parts.db, parts.edge, change)
    response.status_code = 200 if live else 202
    return AllowlistOut(ranges=new.ranges, changed_at=new.changed_at, live=live)
