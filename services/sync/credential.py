"""What a connection signs in with, as values: a client secret, or a key with its certificate."""

import hashlib
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

from contracts.ids import new_id

CredentialKind = Literal["secret", "certificate"]
Slot = Literal["current", "next", "previous"]
CURRENT: Slot = "current"
NEXT: Slot = "next"
PREVIOUS: Slot = "previous"


@dataclass(frozen=True)
class Credential:
    """`secret` is the client secret or the certificate's private key (PEM); it is never printed.

    The id names one credential for ever: whoever is refused can say which one was.
    """

    id: UUID
    kind: CredentialKind
    secret: str = field(repr=False)
    certificate: str = field(default="", repr=False)


class Credentials(Protocol):
    """A connection's credentials, read when one is needed; nobody holds on to what it has read."""

    async def present(self) -> Sequence[Credential]:
        """All that may be shown, the one in use first; some seconds old at most."""

    async def look_again(self) -> Sequence[Credential]:
        """The same as they are at this moment."""

    async def note_accepted(self, one: Credential) -> None:
        """The CRM has let this one in: it is the one in use from now on."""

    async def note_refused(self, one: Credential, reason: str) -> None:
        """The CRM has refused this one; whether another one is let in is not known yet."""


@dataclass(frozen=True)
class Offered:
    """A credential that nobody has saved yet, put to the proof."""

    one: Credential

    @classmethod
    def secret(cls, secret: str) -> "Offered":
        return cls(Credential(new_id(), "secret", secret))

    async def present(self) -> Sequence[Credential]:
        return (self.one,)

    async def look_again(self) -> Sequence[Credential]:
        return (self.one,)

    async def note_accepted(self, one: Credential) -> None:
        """Whoever offered it saves it."""

    async def note_refused(self, one: Credential, reason: str) -> None:
        """Whoever offered it is told."""


def thumbprint(certificate: str, algorithm: Literal["sha1", "sha256"]) -> bytes:
    """The digest of a certificate (PEM) by which an authority names it."""
    der = b64decode("".join(certificate.strip().splitlines()[1:-1]), validate=True)
    return hashlib.new(algorithm, der, usedforsecurity=False).digest()
