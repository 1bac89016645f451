"""The modules of a tenant with their typed fields: GET /t/{tenant}/v1/modules."""

from typing import Annotated, Any

from fastapi import APIRouter

from contracts.authorise import needs_login
from contracts.credentials import Actor
from contracts.ids import TenantId
from kit.problems import NotFound
from services.tenants import sessions
from services.tenants.parts import WithRecords
from services.tenants.records.store import modules as store
from services.tenants.schemas import ModuleList
from tenantdb import array

router = APIRouter(prefix="/t/{tenant}/v1", tags=["modules"])


@router.get("/modules", response_model=ModuleList)
async def list_modules(
    parts: WithRecords, tenant: TenantId, actor: Annotated[Actor, needs_login()]
) -> Any:
    """The modules that the caller may view; what one may do to them stands in the grants."""
    if actor.tenant != tenant:
        raise NotFound
    viewable = [name.removesuffix(".view") for name in actor.grants if name.endswith(".view")]
    async with parts.databases.read(tenant) as session:
        return sessions.json_bytes(await store.all_as_json(session, array(viewable)))
