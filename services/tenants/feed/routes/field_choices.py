"""Which fields may leave over a CRM connection: chosen here, by the customer, per module."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from contracts.authorise import needs
from contracts.credentials import Actor
from contracts.ids import TenantId
from services.tenants import sessions
from services.tenants.feed import field_choice
from services.tenants.schemas import FieldChoice

router = APIRouter(
    prefix="/t/{tenant}/v1/field-choices/{connection}/{module}", tags=["field choices"]
)


@router.get("", response_model=FieldChoice)
async def read_field_choice(
    request: Request,
    tenant: UUID,
    connection: UUID,
    module: str,
    actor: Annotated[Actor, needs("connection.view")],
) -> FieldChoice:
    """The chosen fields; empty until somebody chooses."""
    async with sessions.reading(request, tenant) as session:
        return FieldChoice(fields=await field_choice.get(session, connection, module))


@router.put("", response_model=FieldChoice)
async def choose_fields(
    request: Request,
    tenant: UUID,
    connection: UUID,
    module: str,
    actor: Annotated[Actor, needs("connection.field_choice")],
    body: FieldChoice,
) -> FieldChoice:
    """Choose exactly these fields; the connection is told to start over with them."""
    async with sessions.writing(request, tenant, actor) as session:
        chosen = await field_choice.put(session, connection, module, body.fields)
    await request.app.state.notices.field_choice_changed(TenantId(tenant), connection)
    return FieldChoice(fields=chosen)
