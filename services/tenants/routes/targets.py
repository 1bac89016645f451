"""Restore targets and the swap, for the backup service."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs_service
from contracts.clients import NewTarget, Swap, TargetName
from contracts.ids import TenantId
from kit.http import created
from services.tenants.parts import With

router = APIRouter(prefix="/internal/tenants/{tenant}", tags=["restores"])


@router.post("/restore-targets", status_code=201)
async def open_restore_target(
    parts: With,
    tenant: TenantId,
    caller: Annotated[str, needs_service("backup")],
    body: NewTarget,
    response: Response,
) -> TargetName:
    """Make an empty database for a restore; the same one when asked again."""
    database = await parts.restore_targets.open(tenant, body.restore)
    created(response, f"/internal/tenants/{tenant}/restore-targets/{database}")
    return TargetName(database=database)


@router.delete("/restore-targets/{database}", status_code=204)
async def drop_restore_target(
    parts: With, tenant: TenantId, database: str, caller: Annotated[str, needs_service("backup")]
) -> None:
    """Give a target up; may be repeated, 409 once it is in place."""
    await parts.restore_targets.drop(tenant, database)


@router.post("/swap", status_code=204)
async def swap_database(
    parts: With, tenant: TenantId, caller: Annotated[str, needs_service("backup")], body: Swap
) -> None:
    """Put the restored database in place; the old one is set aside for 7 days. Repeatable."""
    await parts.restore_targets.swap(tenant, body.restore, body.database)
