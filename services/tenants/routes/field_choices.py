"""Which fields may leave over a CRM connection: chosen here, by the customer, per module."""

from typing import Annotated

from fastapi import APIRouter

from contracts.authorise import needs
from contracts.credentials import Actor
from contracts.ids import ConnectionId, TenantId
from services.tenants import sessions
from services.tenants.feed import field_choice
from services.tenants.parts import WithRecords
from services.tenants.schemas import FieldChoice

router = APIRouter(
    prefix="/t/{tenant}/v1/field-choices/{connection}/{module}", tags=["field choices"]
)


@router.get("", response_model=FieldChoice)
async def read_field_choice(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    module: str,
    actor: Annotated[Actor, needs("connection.view")],
) -> FieldChoice:
    """The chosen fields; empty until somebody chooses."""
    async with parts.databases.read(tenant) as session:
        return FieldChoice(fields=await field_choice.get(session, connection, module))


@router.put("", response_model=FieldChoice)
async def choose_fields(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    module: str,
    actor: Annotated[Actor, needs("connection.field_choice")],
    body: FieldChoice,
) -> FieldChoice:
    """Choose exactly these fields, which the connection has to map; it starts over with them."""
    async with sessions.writing(parts, tenant, actor) as session:
        chosen = await field_choice.put(session, connection, module, body.fields)
    await parts.notices.field_choice_changed(tenant, connection)
    return FieldChoice(fields=chosen)
