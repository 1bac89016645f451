"""Requests and answers on what a connection signs in with; no answer has a place for a secret."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.schema import WHOLE, Strict, Time
from services.sync.credential import CredentialKind, Slot, thumbprint
from services.sync.schemas import Ending, Secret
from services.sync.store.credentials import CredentialRow


class NewCredentials(Strict):
    """`now`: it has to work, and is in use at once. `staged`: it is kept beside the one in use, and
    takes its place as soon as the CRM accepts it."""

    client_secret: Secret
    expires_at: Ending | None = None
    when: Literal["now", "staged"] = "now"


class NewCertificate(Strict):
    """`days` is how long it will be valid."""

    days: Annotated[int, Field(ge=1, le=730), WHOLE] = 365


class CertificateView(BaseModel):
    """The public part, to be uploaded to the application's registration, and its thumbprints."""

    pem: str
    sha1: str
    sha256: str


class CredentialView(BaseModel):
    """A credential and what became of it; `current` is in use, `next` is staged, `previous` is kept
    for some days to fall back on."""

    id: UUID
    slot: Slot
    kind: CredentialKind
    made_at: Time
    expires_at: Time | None
    accepted_at: Time | None
    refused_at: Time | None
    refused_reason: str
    certificate: CertificateView | None


class CredentialList(BaseModel):
    credentials: list[CredentialView]


def credential_list(rows: Sequence[CredentialRow]) -> CredentialList:
    return CredentialList(credentials=[credential_view(row) for row in rows])


def credential_view(row: CredentialRow) -> CredentialView:
    return CredentialView(
        id=row.id,
        slot=row.slot,
        kind=row.kind,
        made_at=row.created_at,
        expires_at=row.expires_at,
        accepted_at=row.accepted_at,
        refused_at=row.refused_at,
        refused_reason=row.refused_reason,
        certificate=_certificate(row.certificate) if row.certificate else None,
    )


def _certificate(pem: str) -> CertificateView:
    sha1, sha256 = thumbprint(pem, "sha1"), thumbprint(pem, "sha256")
    return CertificateView(pem=pem, sha1=sha1.hex().upper(), sha256=sha256.hex().upper())
