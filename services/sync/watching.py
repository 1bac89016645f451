"""Routes by which a customer sees what sync does, and repairs it: runs, outcomes, the ledger."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime, StringConstraints

from contracts.authorise import needs
from contracts.credentials import Actor
from contracts.ids import ConnectionId, TenantId
from kit import clock
from kit.db import ReadSession
from kit.http import Read
from kit.problems import NotFound
from services.sync import exporting, schemas, views, watching_bodies
from services.sync.connection import OutcomeState
from services.sync.exporting import ExportFormat
from services.sync.parts import With
from services.sync.reasons import ReasonCode
from services.sync.store import connections, ledger, outcomes, runs
from services.sync.store.ledger import LedgerFilter
from services.sync.store.outcomes import OutcomeFilter

watching_routes = APIRouter(prefix="/t/{tenant}/v1/connections/{connection}", tags=["connections"])
_REACH = datetime(1971, 1, 1, tzinfo=UTC), datetime(8999, 1, 1, tzinfo=UTC)
_EVERYTHING = watching_bodies.Retry(all=True)
_TEXT = {"schema": {"type": "string"}}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": dict.fromkeys(exporting.MEDIA_TYPES.values(), _TEXT)}
}


def _in_reach(moment: datetime) -> datetime:
    """As near as every part of the way can compute with: no call was before or will be after."""
    if moment.year < _REACH[0].year or moment.year > _REACH[1].year:
        return _REACH[moment.year > _REACH[1].year]
    return moment.astimezone(UTC)


Limit = Annotated[int, Query(ge=1, le=500)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_reach)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
Host = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9.-]+$")]
Operation = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z][a-z-]*$")]


async def _require(db: ReadSession, tenant: TenantId, connection: ConnectionId) -> None:
    if not await connections.of_tenant(db, tenant, connection):
        raise NotFound


@watching_routes.get("/outcomes")
async def list_outcomes(
    tenant: TenantId,
    connection: ConnectionId,
    db: Read,
    parts: With,
    _actor: Annotated[Actor, needs("connection.view")],
    state: OutcomeState | None = None,
    module: Annotated[schemas.Ours | None, Query(description="only of this module")] = None,
    key: Annotated[Key | None, Query(description="only of the record with this key")] = None,
    record: Annotated[UUID | None, Query(description="only of this record")] = None,
    code: Annotated[ReasonCode | None, Query(description="only for this reason")] = None,
    cursor: UUID | None = None,
    limit: Limit = 100,
) -> schemas.OutcomePage:
    """What became of each record, with the reason where it was not accepted."""
    await _require(db, tenant, connection)
    wanted = OutcomeFilter(state, module, key, record, code)
    rows = await outcomes.page(db, connection, wanted, cursor, limit)
    return await views.outcomes(tenant, rows, limit, parts.keyring)


@watching_routes.get("/outcomes/summary")
async def summarise_outcomes(
    tenant: TenantId,
    connection: ConnectionId,
    db: Read,
    _actor: Annotated[Actor, needs("connection.view")],
) -> watching_bodies.OutcomeSummary:
    """How many records of each module are in which state, and for which reason."""
    await _require(db, tenant, connection)
    return views.summary(await outcomes.summary(db, connection))


@watching_routes.post("/retry")
async def retry_parked(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.run")],
    wanted: watching_bodies.Retry = _EVERYTHING,
) -> watching_bodies.Retried:
    """Give parked records another chance: one, those of a reason or module, or all.

    A record that is named is tried at once also where it waits for its next attempt. Without a body
    all parked records are meant.
    """
    meant = OutcomeFilter(module=wanted.module, record=wanted.record, code=wanted.code)
    retried = await parts.registry.retry(tenant, connection, meant)
    parts.pusher.wake(tenant, connection, why="retry")
    return watching_bodies.Retried(retried=retried)


@watching_routes.get("/runs")
async def list_runs(
    tenant: TenantId,
    connection: ConnectionId,
    db: Read,
    _actor: Annotated[Actor, needs("connection.view")],
    cursor: UUID | None = None,
    limit: Limit = 100,
) -> watching_bodies.RunPage:
    """Pushes that had something to do, newest first: why, how far, and how they ended."""
    await _require(db, tenant, connection)
    return views.runs(await runs.page(db, connection, cursor, limit), limit, clock.now())


@watching_routes.get("/runs/{run}")
async def read_run(
    tenant: TenantId,
    connection: ConnectionId,
    run: UUID,
    db: Read,
    _actor: Annotated[Actor, needs("connection.view")],
) -> watching_bodies.RunView:
    """One run; while it is on its way with its rate and an estimate of the time that is left."""
    await _require(db, tenant, connection)
    found = await runs.get(db, connection, run)
    if found is None:
        raise NotFound
    return views.run(found, clock.now())


@watching_routes.post("/runs", status_code=202)
async def ask_run(
    tenant: TenantId,
    connection: ConnectionId,
    response: Response,
    parts: With,
    _actor: Annotated[Actor, needs("connection.run")],
) -> watching_bodies.RunView:
    """Push what is due now, without waiting for the next notice or sweep; `Location` follows it.

    A CRM that asked to be left alone is left alone until then. One run waits at most: whoever asks
    again is told of the same one.
    """
    id_ = await parts.registry.ask_run(tenant, connection)
    parts.pusher.wake(tenant, connection, 0.0, "demand")
    response.headers["location"] = f"/t/{tenant}/v1/connections/{connection}/runs/{id_}"
    async with parts.db.read() as db:
        found = await runs.get(db, connection, id_)
    if found is None:
        raise NotFound
    return views.run(found, clock.now())


async def _wanted(
    since: Annotated[Moment | None, Query(alias="from", description="not before it")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="before it")] = None,
    operation: Annotated[Operation | None, Query(description="only such calls")] = None,
    table: Annotated[schemas.Theirs | None, Query(description="only to this table")] = None,
    host: Annotated[Host | None, Query(description="only to this host")] = None,
    answer: Annotated[
        watching_bodies.AnswerClass | None,
        Query(description="only with such a status, or none"),
    ] = None,
) -> LedgerFilter:
    digit = None if answer is None else 0 if answer == "none" else int(answer[0])
    return LedgerFilter(since, until, operation, table, host, digit)


Wanted = Annotated[LedgerFilter, Depends(_wanted)]


@watching_routes.get("/ledger")
async def list_calls(
    tenant: TenantId,
    connection: ConnectionId,
    wanted: Wanted,
    db: Read,
    _actor: Annotated[Actor, needs("connection.ledger_view")],
    cursor: UUID | None = None,
    limit: Limit = 100,
) -> schemas.LedgerPage:
    """Every call that left for the CRM, newest first; also of a removed connection."""
    if not await connections.exists(db, tenant, connection):
        raise NotFound
    rows = await ledger.page(db, tenant, connection, wanted, cursor, limit)
    return views.ledger(rows, limit)


@watching_routes.get("/ledger/export", response_class=StreamingResponse, responses=_FILES)
async def export_calls(
    tenant: TenantId,
    connection: ConnectionId,
    wanted: Wanted,
    request: Request,
    parts: With,
    _actor: Annotated[Actor, needs("connection.ledger_view")],
    form: Annotated[
        ExportFormat | None, Query(alias="format", description="otherwise as `Accept` says")
    ] = None,
) -> StreamingResponse:
    """Every call that left until now, oldest first, as CSV or as JSON lines, however many.

    A file that could not be ended breaks off without an end in HTTP: it is not whole.
    """
    async with parts.db.read() as db:
        if not await connections.exists(db, tenant, connection):
            raise NotFound
    chosen = exporting.wanted_format(form, request.headers.get("accept", ""))
    name = f'attachment; filename="ledger-{connection}.{chosen}"'
    return StreamingResponse(
        exporting.lines(parts.db, tenant, connection, wanted, chosen),
        media_type=exporting.MEDIA_TYPES[chosen],
        headers={"content-disposition": name},
    )
