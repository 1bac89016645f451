"""Leases on tenant databases, for the backup service."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs_service
from contracts.clients import Lease, NewLease
from contracts.ids import LeaseId, TenantId
from kit.http import created
from services.tenants.parts import With

router = APIRouter(prefix="/internal/tenants/{tenant}/leases", tags=["leases"])


@router.post("", status_code=201)
async def grant_lease(
    parts: With,
    tenant: TenantId,
    caller: Annotated[str, needs_service("backup")],
    body: NewLease,
    response: Response,
) -> Lease:
    """Make a role for this purpose, which ends by itself."""
    if body.target is None:
        lease = await parts.leases.grant_dump(tenant)
    else:
        lease = await parts.leases.grant_restore(tenant, body.target)
    created(response, f"/internal/tenants/{tenant}/leases/{lease.lease}")
    return lease


@router.delete("/{lease}", status_code=204)
async def release_lease(
    parts: With, tenant: TenantId, lease: LeaseId, caller: Annotated[str, needs_service("backup")]
) -> None:
    """End its sessions and drop its role; may be repeated."""
    await parts.leases.release(tenant, lease)
