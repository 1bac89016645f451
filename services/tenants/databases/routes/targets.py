"""Restore targets and the swap, for the backup service."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.authorise import needs_service
from contracts.ids import RestoreId, TenantId
from contracts.schema import Strict
from kit.http import created
from services.tenants.databases.targets import RestoreTargets

router = APIRouter(prefix="/internal/tenants/{tenant}", tags=["restores"])
Id = Annotated[UUID, Field(strict=False)]


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
    request: Request,
    tenant: UUID,
    caller: Annotated[str, needs_service("backup")],
    body: NewTarget,
    response: Response,
) -> TargetView:
    """Make an empty database for a restore; the same one when asked again."""
    database = await _targets(request).open(TenantId(tenant), RestoreId(body.restore))
    created(response, f"/internal/tenants/{tenant}/restore-targets/{database}")
    return TargetView(database=database)


@router.delete("/restore-targets/{database}", status_code=204)
async def drop_restore_target(
    request: Request, tenant: UUID, database: str, caller: Annotated[str, needs_service("backup")]
) -> None:
    """Give a target up; may be repeated, 409 once it is in place."""
    await _targets(request).drop(TenantId(tenant), database)


@router.post("/swap", status_code=204)
async def swap_database(
    request: Request, tenant: UUID, caller: Annotated[str, needs_service("backup")], body: Swap
) -> None:
    """Put the restored database in place; the old one is set aside for 7 days. Repeatable."""
    await _targets(request).swap(TenantId(tenant), RestoreId(body.restore), body.database)


def _targets(request: Request) -> RestoreTargets:
    targets: RestoreTargets = request.app.state.restore_targets
    return targets
