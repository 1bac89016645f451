"""Routes of sync: connections of a tenant, what became of their records, and what left."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from contracts.authorise import needs, public
from contracts.credentials import Actor
from contracts.ids import ConnectionId, TenantId
from kit.db import ReadSession
from kit.http import Read, created
from kit.problems import NotFound
from services.sync import schemas, views
from services.sync.push import Pusher
from services.sync.registry import Registry
from services.sync.store import connections, ledger, outgoing
from services.sync.tenant_keys import TenantKeys

tenant_routes = APIRouter(prefix="/t/{tenant}/v1/connections", tags=["connections"])
public_routes = APIRouter(prefix="/v1", tags=["egress"])
Limit = Annotated[int, Query(ge=1, le=500)]


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


def _pusher(request: Request) -> Pusher:
    pusher: Pusher = request.app.state.pusher
    return pusher


def _keyring(request: Request) -> TenantKeys:
    keyring: TenantKeys = request.app.state.keyring
    return keyring


Connections = Annotated[Registry, Depends(_registry)]
Pushes = Annotated[Pusher, Depends(_pusher)]
Keys = Annotated[TenantKeys, Depends(_keyring)]


async def _view(db: ReadSession, tenant: UUID, connection: UUID) -> schemas.ConnectionView:
    id_ = ConnectionId(connection)
    found = await connections.of_tenant(db, TenantId(tenant), id_)
    if not found:
        raise NotFound
    counts = await outgoing.counts(db, [id_])
    return views.connection(found[0], counts.get(id_, {}))


@tenant_routes.post("", status_code=201)
async def create_connection(
    tenant: UUID,
    wanted: schemas.NewConnection,
    request: Request,
    response: Response,
    registry: Connections,
    pushes: Pushes,
    _actor: Annotated[Actor, needs("connection.manage")],
) -> schemas.ConnectionView:
    """Look at the CRM with the given credentials and, if all is well, save the connection."""
    id_ = await registry.register(TenantId(tenant), wanted)
    pushes.wake(TenantId(tenant), id_)
    created(response, f"/t/{tenant}/v1/connections/{id_}")
    async with request.app.state.db.read() as db:
        return await _view(db, tenant, id_)


@tenant_routes.get("")
async def list_connections(
    tenant: UUID, db: Read, _actor: Annotated[Actor, needs("connection.view")]
) -> schemas.ConnectionList:
    """All connections of the tenant."""
    rows = await connections.of_tenant(db, TenantId(tenant))
    counts = await outgoing.counts(db, [ConnectionId(row["id"]) for row in rows])
    found = [views.connection(row, counts.get(row["id"], {})) for row in rows]
    return schemas.ConnectionList(connections=found)


@tenant_routes.get("/{connection}")
async def get_connection(
    tenant: UUID, connection: UUID, db: Read, _actor: Annotated[Actor, needs("connection.view")]
) -> schemas.ConnectionView:
    """One connection with its state and the counts of its rows."""
    return await _view(db, tenant, connection)


@tenant_routes.post("/{connection}/test")
async def probe_connection(
    tenant: UUID,
    connection: UUID,
    registry: Connections,
    pushes: Pushes,
    _actor: Annotated[Actor, needs("connection.run")],
) -> schemas.ProbeView:
    """Look at the CRM again; a broken connection that is well becomes active."""
    found = await registry.test(TenantId(tenant), ConnectionId(connection))
    pushes.wake(TenantId(tenant), ConnectionId(connection))
    return views.probe(found)


@tenant_routes.put("/{connection}/credentials", status_code=204)
async def put_credentials(
    tenant: UUID,
    connection: UUID,
    wanted: schemas.NewCredentials,
    registry: Connections,
    pushes: Pushes,
    _actor: Annotated[Actor, needs("connection.credential_change")],
) -> Response:
    """Switch to a new client secret, after it has proved itself; no push fails meanwhile."""
    secret = wanted.client_secret.get_secret_value()
    await registry.replace_secret(TenantId(tenant), ConnectionId(connection), secret)
    pushes.wake(TenantId(tenant), ConnectionId(connection))
    return Response(status_code=204)


@tenant_routes.post("/{connection}/pause", status_code=204)
async def pause_connection(
    tenant: UUID,
    connection: UUID,
    registry: Connections,
    _actor: Annotated[Actor, needs("connection.pause")],
) -> Response:
    """Send nothing until it is resumed."""
    was = ("active", "broken", "paused")
    await registry.set_state(TenantId(tenant), ConnectionId(connection), "paused", was=was)
    return Response(status_code=204)


@tenant_routes.post("/{connection}/resume", status_code=204)
async def resume_connection(
    tenant: UUID,
    connection: UUID,
    registry: Connections,
    pushes: Pushes,
    _actor: Annotated[Actor, needs("connection.pause")],
) -> Response:
    """Send again, beginning with everything that has waited."""
    was = ("active", "paused")
    await registry.set_state(TenantId(tenant), ConnectionId(connection), "active", was=was)
    pushes.wake(TenantId(tenant), ConnectionId(connection))
    return Response(status_code=204)


@tenant_routes.delete("/{connection}", status_code=204)
async def delete_connection(
    tenant: UUID,
    connection: UUID,
    registry: Connections,
    _actor: Annotated[Actor, needs("connection.manage")],
) -> Response:
    """Forget the connection and its secrets; its ledger is kept, the CRM's rows stay."""
    await registry.remove(TenantId(tenant), ConnectionId(connection))
    return Response(status_code=204)


@tenant_routes.get("/{connection}/outcomes")
async def list_outcomes(
    tenant: UUID,
    connection: UUID,
    db: Read,
    keyring: Keys,
    _actor: Annotated[Actor, needs("connection.view")],
    state: schemas.OutcomeState | None = None,
    cursor: UUID | None = None,
    limit: Limit = 100,
) -> schemas.OutcomePage:
    """What became of each record, with the reason where it was not accepted."""
    id_ = ConnectionId(connection)
    if not await connections.of_tenant(db, TenantId(tenant), id_):
        raise NotFound
    rows = await outgoing.page(db, id_, state, cursor, limit)
    return await views.outcomes(TenantId(tenant), rows, limit, keyring)


@tenant_routes.post("/{connection}/retry")
async def retry_parked(
    tenant: UUID,
    connection: UUID,
    registry: Connections,
    pushes: Pushes,
    _actor: Annotated[Actor, needs("connection.run")],
) -> schemas.Retried:
    """Give every parked record another chance."""
    retried = await registry.retry(TenantId(tenant), ConnectionId(connection))
    pushes.wake(TenantId(tenant), ConnectionId(connection))
    return schemas.Retried(retried=retried)


@tenant_routes.get("/{connection}/ledger")
async def list_calls(
    tenant: UUID,
    connection: UUID,
    db: Read,
    _actor: Annotated[Actor, needs("connection.ledger_view")],
    cursor: UUID | None = None,
    limit: Limit = 100,
) -> schemas.LedgerPage:
    """Every call that left for the CRM, newest first; also of a removed connection."""
    if not await connections.exists(db, TenantId(tenant), ConnectionId(connection)):
        raise NotFound
    rows = await ledger.page(db, TenantId(tenant), ConnectionId(connection), cursor, limit)
    return views.ledger(rows, limit)


@public_routes.get("/egress-addresses", dependencies=[public()])
async def list_egress_addresses(request: Request) -> schemas.EgressAddresses:
    """The addresses that calls to CRMs come from."""
    return schemas.EgressAddresses(addresses=list(request.app.state.egress_addresses))
