"""What the vault holds of a tenant: only what a signed manifest names is a backup.

Names: `<tenant>/manifests/<backup>.json`, beside it `<backup>.verify.json`, and the data under
`<tenant>/data/<random>.tbk`. Random, so that two runs never write to one object.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.ids import SnapshotId, TenantId
from kit import logs
from kit.sealing import SigningKey
from services.backup.manifest import Manifest, ManifestRefused, Verification, sha256_hex
from services.backup.retention import Full, expired
from services.backup.vault import ObjectMissing, Vault

_log = logs.get(__name__)
_VERIFY = ".verify.json"


@dataclass(frozen=True)
class Entry:
    """A backup with the result of its latest check."""

    manifest: Manifest
    sha256: str
    verification: Verification | None

    @property
    def verified(self) -> bool:
        return self.verification is not None and self.verification.passed


class Catalogue:
    """Reads, publishes and expires the backups of tenants in one vault."""

    def __init__(self, vault: Vault, key: SigningKey) -> None:
        self.vault, self._key = vault, key

    def new_data_name(self, tenant: TenantId) -> str:
        return f"{tenant}/data/{secrets.token_hex(16)}.tbk"

    async def publish(self, manifest: Manifest) -> Entry:
        """Sign and store, create-only: from here on the backup exists. Raises ObjectExists."""
        signed = manifest.signed(self._key)
        data = signed.encode()
        await self.vault.create(_manifest_name(manifest.tenant, manifest.backup), data)
        return Entry(signed, sha256_hex(data), None)

    async def record(self, verification: Verification) -> None:
        """Store the result of a check in the place of an earlier one."""
        name = _verify_name(verification.tenant, verification.backup)
        await self.vault.replace(name, verification.signed(self._key).encode())

    async def entry(self, tenant: TenantId, backup: SnapshotId) -> Entry:
        """One backup; raises ObjectMissing, or ManifestRefused for one that is not ours."""
        data = await self.vault.read(_manifest_name(tenant, backup))
        manifest = Manifest.decode(data, self._key.public)
        if (manifest.tenant, manifest.backup) != (tenant, backup):
            raise ManifestRefused("it belongs to another place")
        if not manifest.object.startswith(f"{tenant}/data/"):
            raise ManifestRefused("it names data of another place")
        sha256 = sha256_hex(data)
        return Entry(manifest, sha256, await self._verification(tenant, backup, sha256))

    async def entries(self, tenant: TenantId) -> list[Entry]:
        """All backups of a tenant, oldest first; refused manifests are logged and do not count."""
        found = []
        for backup in await self._names(tenant):
            try:
                found.append(await self.entry(tenant, backup))
            except (ManifestRefused, ObjectMissing):
                _log.error(  # the place says enough, the exception adds nothing
                    "manifest refused", extra={"tenant": str(tenant), "backup": str(backup)}
                )
        return sorted(found, key=lambda entry: (entry.manifest.at, entry.manifest.backup))

    async def expire(self, tenant: TenantId) -> list[SnapshotId]:
        """Delete what retention lets go, manifest first, then data; returns the backups."""
        entries = {entry.manifest.backup: entry for entry in await self.entries(tenant)}
        fulls = [Full(key, each.manifest.at, each.verified) for key, each in entries.items()]
        gone = [SnapshotId(full.backup) for full in expired(fulls)]
        for backup in gone:
            await self.vault.delete(_manifest_name(tenant, backup))
            await self.vault.delete(_verify_name(tenant, backup))
            await self.vault.delete(entries[backup].manifest.object)
        return gone

    async def collect(self, tenant: TenantId, before: datetime) -> int:
        """Delete data older than `before` that no manifest names, even a refused one's neighbour.

        Nothing is deleted while any manifest is refused: it may name the data.
        """
        data = await self.vault.list(f"{tenant}/data")
        entries = await self.entries(tenant)
        if len(entries) != len(await self._names(tenant)):
            return 0
        named = {entry.manifest.object for entry in entries}
        orphans = [each for each in data if each.name not in named and each.at < before]
        for orphan in orphans:
            await self.vault.delete(orphan.name)
        return len(orphans)

    async def _verification(
        self, tenant: TenantId, backup: SnapshotId, manifest_sha256: str
    ) -> Verification | None:
        try:
            data = await self.vault.read(_verify_name(tenant, backup))
            found = Verification.decode(data, self._key.public)
        except (ObjectMissing, ManifestRefused):
            return None
        named = (found.tenant, found.backup, found.manifest_sha256)
        return found if named == (tenant, backup, manifest_sha256) else None

    async def _names(self, tenant: TenantId) -> list[SnapshotId]:
        names = [each.name for each in await self.vault.list(f"{tenant}/manifests")]
        stems = [name.rsplit("/", 1)[1] for name in names if not name.endswith(_VERIFY)]
        return [SnapshotId(UUID(stem.removesuffix(".json"))) for stem in stems]


def _manifest_name(tenant: TenantId, backup: SnapshotId) -> str:
    return f"{tenant}/manifests/{backup}.json"


def _verify_name(tenant: TenantId, backup: SnapshotId) -> str:
    return f"{tenant}/manifests/{backup}{_VERIFY}"
