"""Single records and lists: /t/{tenant}/v1/records/{module}."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from contracts.authorise import needs_module
from contracts.credentials import Actor
from contracts.ids import RecordId, TenantId
from kit.http import IfMatch, created
from services.tenants import sessions
from services.tenants.parts import WithRecords
from services.tenants.records import listing, single
from services.tenants.records.filters import MAX_FILTERS
from services.tenants.records.store.records import StoredRecord
from services.tenants.schemas import NewRecord, RecordChange, RecordPage, RecordView

_FILTERS: dict[str, Any] = {"maxItems": MAX_FILTERS}

router = APIRouter(prefix="/t/{tenant}/v1/records/{module}", tags=["records"])


@router.get("", response_model=RecordPage)
async def list_records(
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    actor: Annotated[Actor, needs_module("view")],
    filter: Annotated[
        list[str] | None,
        Query(description="field:op:value; all must hold", json_schema_extra=_FILTERS),
    ] = None,
    sort: Annotated[str | None, Query(max_length=200, description="name,-date_added")] = None,
    cursor: Annotated[str | None, Query(max_length=20_000)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Any:
    """The records that the caller may view, in a stable order."""
    query = listing.Query(filter or [], sort, cursor, limit)
    async with parts.databases.read(tenant) as session:
        return sessions.json_bytes(await listing.page(session, actor, module, query))


@router.post("", status_code=201, response_model=RecordView)
async def create_record(
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    actor: Annotated[Actor, needs_module("create")],
    body: NewRecord,
) -> Any:
    """Create a record; 409 where its key is taken."""
    async with sessions.growing(parts, tenant, actor) as session:
        stored = await single.create(session, actor, module, body)
    response = _answer(stored, 201)
    created(response, f"/t/{tenant}/v1/records/{module}/{stored.id}")
    return response


@router.get("/{record}", response_model=RecordView)
async def read_record(
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    record: RecordId,
    actor: Annotated[Actor, needs_module("view")],
) -> Any:
    """A record; its ETag goes into If-Match of a change."""
    return _answer(await single.read(parts.databases, tenant, actor, module, record))


@router.patch("/{record}", response_model=RecordView)
async def change_record(
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    record: RecordId,
    actor: Annotated[Actor, needs_module("edit")],
    body: RecordChange,
    versions: IfMatch,
) -> Any:
    """Change what is named, clear what is null; 412 where the record has another version."""
    async with sessions.growing(parts, tenant, actor) as session:
        stored = await single.change(session, actor, module, record, versions, body)
    return _answer(stored)


@router.delete("/{record}", status_code=204)
async def delete_record(
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    record: RecordId,
    actor: Annotated[Actor, needs_module("delete")],
    versions: IfMatch,
) -> Response:
    """Delete a record; 412 where it has another version."""
    async with sessions.writing(parts, tenant, actor) as session:
        await single.delete(session, actor, module, record, versions)
    return Response(status_code=204)


def _answer(stored: StoredRecord, status: int = 200) -> Response:
    """A record with its entity tag."""
    headers = {"ETag": stored.etag}
    return Response(stored.json, status, headers=headers, media_type="application/json")
