"""Many records at once: bulk upsert, CSV import, bulk delete. A 422 means: nothing was written."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from contracts.authorise import needs_module
from contracts.credentials import Actor
from kit.problems import BodyMalformed, BodyTooLarge, MediaTypeUnsupported
from services.tenants import bulk, csv_import, deletion, records, refusals, upsert
from services.tenants.modules import Module
from services.tenants.routes import sessions
from services.tenants.rows import MAX_ROWS, Batch, TooManyRows
from services.tenants.schemas import BulkDelete, BulkOutcome, DeleteOutcome

BODY_LIMIT = 32 * 1024 * 1024
BODY_LIMITS = {r"/v1/records/[^/]+/(bulk|import)$": BODY_LIMIT}

router = APIRouter(prefix="/t/{tenant}/v1/records/{module}", tags=["bulk"])
OnError = Annotated[
    Literal["refuse", "skip"],
    Query(description="skip: write the good rows and report the others"),
]


def _body(media_type: str) -> dict[str, Any]:
    """The request body of a route that reads it itself, for OpenAPI."""
    content = {media_type: {"schema": {"type": "string"}}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("/bulk", response_model=BulkOutcome, openapi_extra=_body(bulk.MEDIA_TYPE))
async def upsert_records(
    request: Request,
    tenant: UUID,
    module: str,
    actor: Annotated[Actor, needs_module("bulk_edit")],
    on_error: OnError = "refuse",
) -> BulkOutcome:
    """Create or update by key, one `{"key", "fields"}` a line; named fields change, null clears."""
    body = await _read(request, bulk.MEDIA_TYPE)
    definition = await _definition(request, tenant, module)
    async with request.app.state.uploads.turn(tenant):
        batch = await _parse(lambda: bulk.parse(body, definition))
        async with sessions.writing(request, tenant, actor) as session:
            return await upsert.write(session, actor, batch, "bulk_edit", skips=on_error == "skip")


@router.post("/import", response_model=BulkOutcome, openapi_extra=_body(csv_import.MEDIA_TYPE))
async def import_records(
    request: Request,
    tenant: UUID,
    module: str,
    actor: Annotated[Actor, needs_module("import")],
    key: Annotated[
        str | None, Query(max_length=63, description="the column with the records' keys")
    ] = None,
    on_error: OnError = "refuse",
) -> BulkOutcome:
    """Create or update from CSV with a header of field names; an empty cell clears the field."""
    body = await _read(request, csv_import.MEDIA_TYPE)
    definition = await _definition(request, tenant, module)
    async with request.app.state.uploads.turn(tenant):
        batch = await _parse(lambda: csv_import.parse(body, definition, key))
        async with sessions.writing(request, tenant, actor) as session:
            return await upsert.write(session, actor, batch, "import", skips=on_error == "skip")


@router.post("/bulk-delete", response_model=DeleteOutcome)
async def delete_records(
    request: Request,
    tenant: UUID,
    module: str,
    actor: Annotated[Actor, needs_module("delete")],
    body: BulkDelete,
    on_error: OnError = "refuse",
) -> DeleteOutcome:
    """Delete by id; an id that is not there, or beyond the caller's scope, is a fault."""
    async with sessions.writing(request, tenant, actor) as session:
        return await deletion.delete_many(
            session, actor, module, body.ids, skips=on_error == "skip"
        )


async def _read(request: Request, media_type: str) -> bytes:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise MediaTypeUnsupported(f"this route takes {media_type}")
    return await request.body()


async def _definition(request: Request, tenant: UUID, module: str) -> Module:
    async with sessions.reading(request, tenant) as session:
        return await records.load_module(session, module)


async def _parse(parse: Callable[[], Batch]) -> Batch:
    """Check the rows beside the event loop: other requests go on meanwhile."""
    try:
        return await asyncio.to_thread(parse)
    except TooManyRows:
        raise BodyTooLarge(f"one request takes at most {MAX_ROWS} rows") from None
    except csv_import.CsvBroken as broken:
        raise BodyMalformed(str(broken)) from None
    except csv_import.HeaderWrong as wrong:
        refusals.refuse(
            [fault._replace(pointer=f"/header{fault.pointer}") for fault in wrong.faults]
        )
