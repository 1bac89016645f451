"""What sync says of a tenant's connections: which there are, and what they map."""

from typing import Annotated

from fastapi import APIRouter

from contracts.authorise import needs_service
from contracts.clients import MappedModules
from contracts.ids import ConnectionId, TenantId
from services.tenants.feed import registration
from services.tenants.parts import WithRecords

router = APIRouter(
    prefix="/internal/tenants/{tenant}/connections/{connection}", tags=["connections"]
)


@router.put("", status_code=204)
async def register_connection(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    caller: Annotated[str, needs_service("sync")],
    body: MappedModules,
) -> None:
    """The connection maps exactly this; may be repeated."""
    async with parts.databases.write(tenant, actor=f"service:{caller}") as session:
        is_news = await registration.put(session, connection, body.modules)
    if is_news:
        parts.notices.advanced(tenant)


@router.delete("", status_code=204)
async def unregister_connection(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    caller: Annotated[str, needs_service("sync")],
) -> None:
    """Forget the connection and what was chosen for it; may be repeated."""
    async with parts.databases.write(tenant, actor=f"service:{caller}") as session:
        await registration.forget(session, connection)
