"""Routes of sync: connections of a tenant, made, changed and ended."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs, public
from contracts.credentials import Actor
from contracts.ids import ConnectionId, TenantId
from kit import clock
from kit.db import ReadSession
from kit.http import Read, created
from kit.problems import NotFound
from services.sync import crm, schemas, views
from services.sync.dry_run_bodies import DryRunView, DryRunWanted
from services.sync.parts import With
from services.sync.store import connections, credentials, outcomes
from services.sync.warnings import warnings

tenant_routes = APIRouter(prefix="/t/{tenant}/v1/connections", tags=["connections"])
public_routes = APIRouter(prefix="/v1", tags=["egress"])


async def _view(db: ReadSession, tenant: TenantId, connection: ConnectionId) -> crm.ConnectionView:
    found = await connections.of_tenant(db, tenant, connection)
    if not found:
        raise NotFound
    counts = await outcomes.counts(db, [connection])
    known = await credentials.of_connection(db, connection)
    return crm.view_of(found[0], counts.get(connection, {}), warnings(known, clock.now()))


@tenant_routes.post("", status_code=201)
async def create_connection(
    tenant: TenantId,
    wanted: crm.NewConnection,
    response: Response,
    parts: With,
    _actor: Annotated[Actor, needs("connection.manage")],
) -> crm.ConnectionView:
    """Look at the CRM with the given credentials and, if all is well, save the connection."""
    id_ = await parts.registry.register(tenant, wanted)
    await parts.known_mappings.tell(id_)
    parts.pusher.wake(tenant, id_, why="created")
    created(response, f"/t/{tenant}/v1/connections/{id_}")
    async with parts.db.read() as db:
        return await _view(db, tenant, id_)


@tenant_routes.get("")
async def list_connections(
    tenant: TenantId, db: Read, _actor: Annotated[Actor, needs("connection.view")]
) -> crm.ConnectionList:
    """All connections of the tenant."""
    rows = await connections.of_tenant(db, tenant)
    ids, now = [row.id for row in rows], clock.now()
    counts = await outcomes.counts(db, ids)
    known = await credentials.of_connections(db, ids)
    found = [
        crm.view_of(row, counts.get(row.id, {}), warnings(known.get(row.id, []), now))
        for row in rows
    ]
    return crm.ConnectionList(connections=found)


@tenant_routes.get("/{connection}")
async def get_connection(
    tenant: TenantId,
    connection: ConnectionId,
    db: Read,
    _actor: Annotated[Actor, needs("connection.view")],
) -> crm.ConnectionView:
    """One connection with its state and the counts of its rows."""
    return await _view(db, tenant, connection)


@tenant_routes.get("/{connection}/comparison")
async def compare_counts(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.view")],
) -> schemas.Comparison:
    """How many records there are of each module, beside what became of them; no CRM is asked."""
    return await parts.comparing.compare(tenant, connection)


@tenant_routes.patch("/{connection}")
async def change_connection(
    tenant: TenantId,
    connection: ConnectionId,
    wanted: crm.ConnectionChange,
    parts: With,
    _actor: Annotated[Actor, needs("connection.manage")],
) -> crm.ConnectionView:
    """Change name, mapping, policies or address in place, if the CRM is well with them.

    Everything is compared anew, and a broken connection goes on. Rows of another CRM, table or key
    column are other rows: nothing is known of them, and those of before stay as they are.
    """
    await parts.changes.change(tenant, connection, wanted)
    await parts.known_mappings.tell(connection)
    parts.unlearning.timer.wake()
    parts.pusher.wake(tenant, connection, why="changed")
    async with parts.db.read() as db:
        return await _view(db, tenant, connection)


@tenant_routes.post("/{connection}/resync")
async def resync_connection(
    tenant: TenantId,
    connection: ConnectionId,
    wanted: schemas.Resync,
    parts: With,
    _actor: Annotated[Actor, needs("connection.run")],
) -> schemas.Resynced:
    """Forget what the CRM is believed to hold: its rows are written over whole, or made again."""
    resynced = await parts.changes.resync(tenant, connection, wanted)
    parts.pusher.wake(tenant, connection, why="resync")
    return schemas.Resynced(resynced=resynced)


@tenant_routes.post("/{connection}/test")
async def probe_connection(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.run")],
) -> schemas.ProbeView:
    """Look at the CRM again; a broken connection that is well becomes active."""
    found = await parts.registry.test(tenant, connection)
    parts.pusher.wake(tenant, connection, why="probed")
    return views.probe(found)


@tenant_routes.post("/{connection}/dry-run")
async def dry_run_connection(
    tenant: TenantId,
    connection: ConnectionId,
    wanted: DryRunWanted,
    parts: With,
    _actor: Annotated[Actor, needs("connection.run")],
) -> DryRunView:
    """What a push would make, change, remove and refuse; only keys leave, to ask the CRM which it
    has."""
    return await parts.dry_runs.run(tenant, connection, wanted)


@tenant_routes.post("/{connection}/pause", status_code=204)
async def pause_connection(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.pause")],
) -> Response:
    """Send nothing until it is resumed."""
    was = ("active", "broken", "paused")
    await parts.registry.set_state(tenant, connection, "paused", was=was)
    return Response(status_code=204)


@tenant_routes.post("/{connection}/resume", status_code=204)
async def resume_connection(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.pause")],
    lift_wait: bool = False,
) -> Response:
    """Send again, beginning with everything that has waited.

    A wait that the CRM asked for is kept, unless it is lifted: it may ask again.
    """
    was = ("active", "paused")
    await parts.registry.set_state(tenant, connection, "active", was=was, lifts_wait=lift_wait)
    parts.pusher.wake(tenant, connection, why="resumed")
    return Response(status_code=204)


@tenant_routes.delete("/{connection}", status_code=204)
async def delete_connection(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.manage")],
) -> Response:
    """Forget the connection and its secrets; its ledger is kept, the CRM's rows stay."""
    await parts.registry.remove(tenant, connection)
    parts.unlearning.timer.wake()
    return Response(status_code=204)


@public_routes.get("/egress-addresses", dependencies=[public()])
async def list_egress_addresses(parts: With) -> schemas.EgressAddresses:
    """The addresses that calls to CRMs come from."""
    return schemas.EgressAddresses(addresses=list(parts.egress_addresses))
