"""Tenants, for the operators and for the other services."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from contracts.authorise import needs_operator, needs_service
from contracts.clients import TenantEntries, TenantEntry
from contracts.credentials import Actor
from contracts.ids import TenantId
from contracts.schema import Strict, Time
from kit.display_text import DisplayText
from kit.http import created
from services.tenants.databases.store.directory import TenantRow
from services.tenants.parts import With

router = APIRouter(tags=["tenants"])
Name = Annotated[DisplayText, Field(min_length=1, max_length=200)]


class NewTenant(Strict):
    """A tenant to make; the name is for the operators' eyes only."""

    name: Name


class TenantView(Strict):
    """A tenant as operators see it."""

    id: UUID
    name: str
    state: Literal["active", "suspended"]
    created_at: Time


class TenantList(Strict):
    """All tenants, oldest first."""

    tenants: list[TenantView]


@router.post("/v1/tenants", status_code=201)
async def create_tenant(
    parts: With,
    actor: Annotated[Actor, needs_operator("tenant.create")],
    body: NewTenant,
    response: Response,
) -> TenantView:
    """Make a tenant with its own database; 409 where the name is taken."""
    made = _view(await parts.provisioning.create(body.name))
    created(response, f"/v1/tenants/{made.id}")
    return made


@router.get("/v1/tenants")
async def list_tenants(
    parts: With, actor: Annotated[Actor, needs_operator("tenant.view")]
) -> TenantList:
    """Every tenant, suspended ones too."""
    return TenantList(tenants=[_view(row) for row in await parts.provisioning.existing()])


@router.get("/v1/tenants/{tenant}")
async def read_tenant(
    parts: With, tenant: TenantId, actor: Annotated[Actor, needs_operator("tenant.view")]
) -> TenantView:
    """One tenant."""
    return _view(await parts.provisioning.find(tenant))


@router.post("/v1/tenants/{tenant}/suspend")
async def suspend_tenant(
    parts: With, tenant: TenantId, actor: Annotated[Actor, needs_operator("tenant.suspend")]
) -> TenantView:
    """End every session of the tenant and refuse new ones; its data is kept."""
    return _view(await parts.provisioning.suspend(tenant))


@router.post("/v1/tenants/{tenant}/resume")
async def resume_tenant(
    parts: With, tenant: TenantId, actor: Annotated[Actor, needs_operator("tenant.suspend")]
) -> TenantView:
    """Let a suspended tenant in again."""
    return _view(await parts.provisioning.resume(tenant))


@router.get("/internal/tenants")
async def list_for_services(
    parts: With, caller: Annotated[str, needs_service("auth", "backup", "gateway", "sync")]
) -> TenantEntries:
    """Ids and states: what a service needs to sweep all tenants."""
    rows = await parts.provisioning.existing()
    return TenantEntries(tenants=[TenantEntry(id=row.id, state=_state(row)) for row in rows])


def _view(row: TenantRow) -> TenantView:
    return TenantView(id=row.id, name=row.name, state=_state(row), created_at=row.created_at)


def _state(row: TenantRow) -> Literal["active", "suspended"]:
    assert row.state != "provisioning"
    return row.state
