"""Many records at once: bulk upsert, CSV import, bulk delete. A 422 means: nothing was written."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from contracts.authorise import needs_module
from contracts.body_sizes import MOST_IDS, MOST_UPLOAD
from contracts.credentials import Actor
from contracts.ids import TenantId
from kit.problems import MediaTypeUnsupported
from services.tenants import sessions
from services.tenants.parts import RecordsParts, WithRecords
from services.tenants.records import single
from services.tenants.records.many import csv, delete, ndjson, write
from services.tenants.records.many.checking import Question
from services.tenants.records.many.pacing import read_paced
from services.tenants.records.modules import Module
from services.tenants.schemas import BulkDelete, BulkOutcome, DeleteOutcome

BODY_LIMITS = {
    r"/v1/records/[^/]+/(bulk|import)$": MOST_UPLOAD,
    r"/v1/records/[^/]+/bulk-delete$": MOST_IDS,
    r"^/internal/tenants/[^/]+/connections/[^/]+/records$": MOST_IDS,
}

router = APIRouter(prefix="/t/{tenant}/v1/records/{module}", tags=["bulk"])
OnError = Annotated[
    Literal["refuse", "skip"],
    Query(description="skip: write the good rows and report the others"),
]


def _body(media_type: str) -> dict[str, Any]:
    """The request body of a route that reads it itself, for OpenAPI."""
    content = {media_type: {"schema": {"type": "string", "minLength": 1}}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("/bulk", response_model=BulkOutcome, openapi_extra=_body(ndjson.MEDIA_TYPE))
async def upsert_records(
    request: Request,
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    actor: Annotated[Actor, needs_module("bulk_edit")],
    on_error: OnError = "refuse",
) -> BulkOutcome:
    """Create or update by key, one `{"key", "fields"}` a line; named fields change, null clears."""
    _check_type(request, ndjson.MEDIA_TYPE)
    definition = await _definition(parts, tenant, module)
    question = Question("ndjson", definition, on_error == "skip")
    return await _write(parts, tenant, actor, question, "bulk_edit", request)


@router.post("/import", response_model=BulkOutcome, openapi_extra=_body(csv.MEDIA_TYPE))
async def import_records(
    request: Request,
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    actor: Annotated[Actor, needs_module("import")],
    key: Annotated[
        str | None, Query(max_length=63, description="the column with the records' keys")
    ] = None,
    on_error: OnError = "refuse",
) -> BulkOutcome:
    """Create or update from CSV with a header of field names; an empty cell clears the field."""
    _check_type(request, csv.MEDIA_TYPE)
    definition = await _definition(parts, tenant, module)
    question = Question("csv", definition, on_error == "skip", key)
    return await _write(parts, tenant, actor, question, "import", request)


@router.post("/bulk-delete", response_model=DeleteOutcome)
async def delete_records(
    parts: WithRecords,
    tenant: TenantId,
    module: str,
    actor: Annotated[Actor, needs_module("delete")],
    body: BulkDelete,
    on_error: OnError = "refuse",
) -> DeleteOutcome:
    """Delete by id; an id that is not there, or beyond the caller's scope, is a fault."""
    async with sessions.writing(parts, tenant, actor) as session:
        return await delete.delete_many(session, actor, module, body.ids, skips=on_error == "skip")


async def _write(
    parts: RecordsParts,
    tenant: TenantId,
    actor: Actor,
    question: Question,
    action: str,
    request: Request,
) -> BulkOutcome:
    async with parts.uploads.slot(tenant, lambda: read_paced(request.stream())) as body:
        checked = await parts.uploads.check(question, body)
        async with sessions.growing(parts, tenant, actor, sum(map(len, body))) as session:
            return await write.write(
                session, actor, question.module, checked, action, skips=question.skips
            )


def _check_type(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise MediaTypeUnsupported(f"this route takes {media_type}")


async def _definition(parts: RecordsParts, tenant: TenantId, module: str) -> Module:
    async with parts.databases.read(tenant) as session:
        return await single.load_module(session, module)
