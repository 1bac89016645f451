"""Routes of what a connection signs in with: which there are, another one now or later."""

from typing import Annotated

from fastapi import APIRouter, Response

from contracts.authorise import needs
from contracts.credentials import Actor
from contracts.ids import ConnectionId, TenantId, new_id
from kit.http import created
from services.sync.credential import Credential, Slot
from services.sync.credential_bodies import (
    CredentialList,
    CredentialView,
    NewCertificate,
    NewCredentials,
    credential_list,
    credential_view,
)
from services.sync.parts import With

credential_routes = APIRouter(
    prefix="/t/{tenant}/v1/connections/{connection}/credentials", tags=["connections"]
)
May = Annotated[Actor, needs("connection.credential_change")]


@credential_routes.get("")
async def list_credentials(
    tenant: TenantId,
    connection: ConnectionId,
    parts: With,
    _actor: Annotated[Actor, needs("connection.view")],
) -> CredentialList:
    """What the connection signs in with, and what became of each; never the secrets."""
    return credential_list(await parts.rotating.listed(tenant, connection))


@credential_routes.put("", status_code=204)
async def put_credentials(
    tenant: TenantId, connection: ConnectionId, wanted: NewCredentials, parts: With, _actor: May
) -> Response:
    """Another client secret, at once or as soon as the CRM accepts it; no push fails meanwhile."""
    new = Credential(new_id(), "secret", wanted.client_secret.get_secret_value())
    change = parts.rotating.put if wanted.when == "now" else parts.rotating.stage
    await change(tenant, connection, new, wanted.expires_at)
    return Response(status_code=204)


@credential_routes.post("/certificate", status_code=201)
async def make_certificate(
    tenant: TenantId,
    connection: ConnectionId,
    wanted: NewCertificate,
    response: Response,
    parts: With,
    _actor: May,
) -> CredentialView:
    """Make a key and its certificate; upload the certificate, and it is used once it is accepted.

    The key stays here, sealed.
    """
    row = await parts.rotating.stage_certificate(tenant, connection, wanted.days)
    created(response, f"/t/{tenant}/v1/connections/{connection}/credentials")
    return credential_view(row)


@credential_routes.delete("/{slot}", status_code=204)
async def drop_credential(
    tenant: TenantId, connection: ConnectionId, slot: Slot, parts: With, _actor: May
) -> Response:
    """Forget the one that is staged (`next`), or the one that was replaced (`previous`)."""
    await parts.rotating.drop(tenant, connection, slot)
    return Response(status_code=204)
