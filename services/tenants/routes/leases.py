"""Leases on tenant databases, for the backup service."""

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, model_validator

from contracts.authorise import needs_service
from contracts.ids import LeaseId, TenantId
from contracts.schema import Strict, Time
from kit.http import created
from services.tenants.parts import With

router = APIRouter(prefix="/internal/tenants/{tenant}/leases", tags=["leases"])


class NewLease(Strict):
    """A dump lease reads the tenant's database; a restore lease writes one restore target."""

    purpose: Literal["dump", "restore"]
    target: Annotated[str, Field(max_length=63)] | None = None

    @model_validator(mode="after")
    def _target_goes_with_restore(self) -> Self:
        if (self.target is None) == (self.purpose == "restore"):
            raise ValueError("a target belongs to a restore, and only to that")
        return self


class LeaseView(Strict):
    """A login; the password is told this once and kept nowhere."""

    lease: UUID
    host: str
    port: int
    database: str
    user: str
    password: str
    owner: str
    ends_at: Time


@router.post("", status_code=201)
async def grant_lease(
    parts: With,
    tenant: TenantId,
    caller: Annotated[str, needs_service("backup")],
    body: NewLease,
    response: Response,
) -> LeaseView:
    """Make a role for this purpose, which ends by itself."""
    if body.target is None:
        lease = await parts.leases.grant_dump(tenant)
    else:
        lease = await parts.leases.grant_restore(tenant, body.target)
    created(response, f"/internal/tenants/{tenant}/leases/{lease.lease}")
    return LeaseView(
        lease=lease.lease,
        host=lease.host,
        port=lease.port,
        database=lease.database,
        user=lease.user,
        password=lease.password,
        owner=lease.owner,
        ends_at=lease.ends_at,
    )


@router.delete("/{lease}", status_code=204)
async def release_lease(
    parts: With, tenant: TenantId, lease: LeaseId, caller: Annotated[str, needs_service("backup")]
) -> None:
    """End its sessions and drop its role; may be repeated."""
    await parts.leases.release(tenant, lease)
