"""Manifests: what one backup holds, signed; nothing that is not signed by us counts as a backup."""

import hashlib
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from contracts.ids import BackupId, TenantId
from kit import base64url, strict_json
from kit.sealing import SigningKey, VerifyKey, canonical

Fingerprint = tuple[str, str, str]
"""Number of rows, sum and exclusive-or of the row hashes, as decimal text."""


class ManifestRefused(Exception):
    """A manifest or verification that we did not sign, or that was altered or moved."""


class _Signed(BaseModel):
    """A document in canonical JSON with an Ed25519 signature over all its other members."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    signed_as: ClassVar[str]
    v: Literal[1] = 1
    sig: str = ""

    def signed(self, key: SigningKey) -> Self:
        return self.model_copy(update={"sig": base64url.encode(key.sign(self._message()))})

    def encode(self) -> bytes:
        return canonical(self.model_dump(mode="json", by_alias=True))

    @classmethod
    def decode(cls, data: bytes, key: VerifyKey) -> Self:
        """Read and check; raises ManifestRefused."""
        try:
            document = cls.model_validate_json(data)
            signature = base64url.decode(document.sig)
            strict_json.loads(data)
        except (ValidationError, ValueError):
            raise ManifestRefused("malformed") from None
        if document.encode() != data or not key.verify(signature, document._message()):
            raise ManifestRefused("the signature does not fit")
        return document

    def _message(self) -> bytes:
        """The signed text names its kind, so that one kind never passes for another."""
        members = self.model_dump(mode="json", by_alias=True, exclude={"sig"})
        return f"bulkhead-{self.signed_as}-v1\n".encode() + canonical(members)


class Manifest(_Signed):
    """One full backup: where its data lies, what that must be, and the moment it shows.

    `prev_manifest_sha256` once named the manifest before; nothing ever compared it.
    """

    signed_as: ClassVar[str] = "manifest"

    tenant: TenantId
    backup: BackupId
    kind: Literal["full"] = "full"
    object: str
    size: int
    sha256: str
    position: str = Field(alias="snapshot")
    lsn: str
    at: AwareDatetime
    src: str
    server: str
    schema_version: str
    dump: str
    zstd: int
    key_version: int
    tables: dict[str, Fingerprint]
    seqs: list[tuple[str, int | None, bool]]
    pks: dict[str, list[tuple[str, str]]]
    prev_manifest_sha256: str | None = None

    @property
    def rows(self) -> int:
        return sum(int(count) for count, _, _ in self.tables.values())


Proof = Literal["archive", "restored"]
"""How far a backup was proved: read whole by pg_restore; restored and compared row by row."""


class Verification(_Signed):
    """The result of a check of one backup; kept beside the manifest, which never changes."""

    signed_as: ClassVar[str] = "verification"

    tenant: TenantId
    backup: BackupId
    manifest_sha256: str
    proof: Proof = Field(alias="level")
    passed: bool
    at: AwareDatetime


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
