"""Restore targets and the swap, for the backup service."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from contracts.authorise import needs_service
from contracts.ids import RestoreId, TenantId
from contracts.schema import Strict
from kit.http import created
from services.tenants.parts import With

router = APIRouter(prefix="/internal/tenants/{tenant}", tags=["restores"])
Id = Annotated[RestoreId, Field(strict=False)]


class NewTarget(Strict):
    """The restore that the database is for."""

    restore: Id


class TargetView(Strict):
    """The name of the empty database."""

    database: str


class Swap(Strict):
    """The restored database that is to take the tenant's place."""

    restore: Id
    database: Annotated[str, Field(max_length=63)]


@router.post("/restore-targets", status_code=201)
async def open_restore_target(
    parts: With,
    tenant: TenantId,
    caller: Annotated[str, needs_service("backup")],
    body: NewTarget,
    response: Response,
) -> TargetView:
    """Make an empty database for a restore; the same one when asked again."""
    database = await parts.restore_targets.open(tenant, body.restore)
    created(response, f"/internal/tenants/{tenant}/restore-targets/{database}")
    return TargetView(database=database)


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
