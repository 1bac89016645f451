"""Feeds of changed records: for sync (what has changed, values apart) and for API consumers."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from contracts.access import Scope
from contracts.authorise import needs, needs_service
from contracts.clients import ChangePage, PresentRecords, RecordCounts, RecordsAsked
from contracts.credentials import Actor
from contracts.ids import ConnectionId, TenantId
from kit.problems import NotPermitted
from services.tenants import sessions
from services.tenants.feed import changes
from services.tenants.feed.store.changes import (
    ChosenRecords,
    WholeRecords,
    chosen_counts,
    chosen_values,
)
from services.tenants.parts import WithRecords
from services.tenants.schemas import ChangeList

router = APIRouter(tags=["changes"])
After = Annotated[str | None, Query(max_length=4000, description="a position; absent: start over")]
Limit = Annotated[int, Query(ge=1, le=5000, description="journal rows or records a page")]


@router.get(
    "/internal/tenants/{tenant}/connections/{connection}/changes", response_model=ChangePage
)
async def read_connection_changes(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    caller: Annotated[str, needs_service("sync")],
    after: After = None,
    limit: Limit = 500,
) -> Any:
    """What has changed in the modules that the connection may see; no value leaves here."""
    async with parts.databases.read(tenant) as session:
        page = await changes.read(session, ChosenRecords(session, connection), after, limit)
    return sessions.json_bytes(page.body())


@router.post(
    "/internal/tenants/{tenant}/connections/{connection}/records", response_model=PresentRecords
)
async def read_connection_records(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    caller: Annotated[str, needs_service("sync")],
    body: RecordsAsked,
) -> Any:
    """Present values of the open fields, and whether there are any; vanished records are absent."""
    async with parts.databases.read(tenant) as session:
        found = await chosen_values(session, connection, body.module, body.ids)
    return sessions.json_bytes(found)


@router.get(
    "/internal/tenants/{tenant}/connections/{connection}/counts", response_model=RecordCounts
)
async def count_connection_records(
    parts: WithRecords,
    tenant: TenantId,
    connection: ConnectionId,
    caller: Annotated[str, needs_service("sync")],
) -> Any:
    """How many records there are, of each module that is open to the connection."""
    async with parts.databases.read(tenant) as session:
        found = await chosen_counts(session, connection)
    return sessions.json_bytes(f'{{"modules": {found}}}')


@router.get("/t/{tenant}/v1/changes", response_model=ChangeList)
async def read_changes(
    parts: WithRecords,
    tenant: TenantId,
    actor: Annotated[Actor, needs("export.api_bulk")],
    after: After = None,
    limit: Limit = 500,
) -> Any:
    """Changes of all modules that the caller may view without a limit of scope.

    With a narrower scope a feed could not tell a record that was deleted from one that has been
    given to somebody else, so such modules are left out.
    """
    viewable = frozenset(
        name.removesuffix(".view")
        for name, scope in actor.grants.items()
        if name.endswith(".view") and scope is Scope.ALL
    )
    if not viewable:
        raise NotPermitted("needs the view of a module in the scope all")
    async with parts.databases.read(tenant) as session:
        page = await changes.read(session, WholeRecords(session, viewable), after, limit)
    return sessions.json_bytes(page.body())
