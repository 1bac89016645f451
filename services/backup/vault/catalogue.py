"""What the vault holds of a tenant: only what a signed manifest names is a backup.

Names: `<tenant>/manifests/<backup>.json`, beside it `<backup>.verify.json`, and the data under
`<tenant>/data/<random>.tbk`. Random, so that two runs never write to one object.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.ids import BackupId, TenantId
from kit import clock, logs
from kit.sealing import SigningKey
from services.backup.vault.local_folder import StoredObject
from services.backup.vault.manifest import Manifest, ManifestRefused, Verification, sha256_hex
from services.backup.vault.objects import ObjectMissing, ObjectTooLarge, Vault

_log = logs.get(__name__)
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OURS = re.compile(
    rf"{_UUID}/(?:manifests/(?P<backup>{_UUID})(?P<check>\.verify)?\.json|data/[0-9a-f]{{32}}\.tbk)"
)


@dataclass(frozen=True)
class Entry:
    """A backup with the result of its latest check."""

    manifest: Manifest
    sha256: str
    verification: Verification | None

    @property
    def verified(self) -> bool:
        return self.verification is not None and self.verification.passed

    def is_newer(self, now: datetime) -> tuple[bool, datetime, UUID]:
        """What to sort by: an age that is not known (a time in the future) is never newest."""
        return self.manifest.at <= now, self.manifest.at, self.manifest.backup


@dataclass(frozen=True)
class Stock:
    """All that the vault holds of one tenant: ours by name, and what somebody else put there.

    Refused are manifests that are there but are none of ours. Entries are sorted, oldest first.
    """

    entries: list[Entry]
    refused: frozenset[BackupId]
    objects: Mapping[str, StoredObject]
    strays: list[str]
    size: int

    def manifest_at(self, tenant: TenantId, backup: BackupId) -> datetime:
        return self.objects[_manifest_name(tenant, backup)].at


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

    async def entry(self, tenant: TenantId, backup: BackupId) -> Entry:
        """One backup; raises ObjectMissing, or ManifestRefused for one that is not ours."""
        try:
            data = await self.vault.read(_manifest_name(tenant, backup))
        except ObjectTooLarge:
            raise ManifestRefused("it is too large") from None
        manifest = Manifest.decode(data, self._key.public)
        if (manifest.tenant, manifest.backup) != (tenant, backup):
            raise ManifestRefused("it belongs to another place")
        if not manifest.object.startswith(f"{tenant}/data/"):
            raise ManifestRefused("it names data of another place")
        sha256 = sha256_hex(data)
        return Entry(manifest, sha256, await self._verification(tenant, backup, sha256))

    async def stock(self, tenant: TenantId) -> Stock:
        """Look at everything; what others have put there is named and otherwise ignored."""
        listed = await self._listed(tenant)
        objects = {each.name: each for each in listed if _OURS.fullmatch(each.name)}
        entries, refused = [], set[BackupId]()
        for backup in _backups(objects):
            try:
                entries.append(await self.entry(tenant, backup))
            except (ManifestRefused, ObjectMissing):
                refused.add(backup)
                _log.error(  # the place says enough, the exception adds nothing
                    "manifest refused", tenant=str(tenant), backup=str(backup)
                )
        now = clock.now()
        return Stock(
            sorted(entries, key=lambda entry: entry.is_newer(now)),
            frozenset(refused),
            objects,
            [each.name for each in listed if each.name not in objects],
            _size(listed),
        )

    async def size(self, tenant: TenantId) -> int:
        """The bytes of everything that lies there, whosoever it is; no manifest is read."""
        return _size(await self._listed(tenant))

    async def entries(self, tenant: TenantId) -> list[Entry]:
        """All backups of a tenant, oldest first; refused manifests are logged and do not count."""
        return (await self.stock(tenant)).entries

    async def remove(self, tenant: TenantId, backup: BackupId, entry: Entry | None) -> None:
        """Delete a backup: the manifest first, so that no manifest names what is gone."""
        await self.vault.delete(_manifest_name(tenant, backup))
        await self.vault.delete(_verify_name(tenant, backup))
        if entry is not None:
            await self.vault.delete(entry.manifest.object)

    async def collect(self, tenant: TenantId, before: datetime) -> int:
        """Delete data older than `before` that no manifest names, even a refused one's neighbour.

        Nothing is deleted while any manifest is refused: it may name the data.
        """
        data = await self.vault.list(f"{tenant}/data")  # before the manifests: a run may end now
        stock = await self.stock(tenant)
        if stock.refused:
            return 0
        named = {entry.manifest.object for entry in stock.entries}
        old = [each for each in data if each.at < before and _OURS.fullmatch(each.name)]
        orphans = [each for each in old if each.name not in named]
        for orphan in orphans:
            await self.vault.delete(orphan.name)
        return len(orphans)

    async def _listed(self, tenant: TenantId) -> list[StoredObject]:
        for part in ("manifests", "data"):  # what cannot be read is no empty folder
            await self.vault.list(f"{tenant}/{part}")
        return await self.vault.list(str(tenant))

    async def _verification(
        self, tenant: TenantId, backup: BackupId, manifest_sha256: str
    ) -> Verification | None:
        try:
            data = await self.vault.read(_verify_name(tenant, backup))
            found = Verification.decode(data, self._key.public)
        except (ObjectMissing, ObjectTooLarge, ManifestRefused):
            return None
        named = (found.tenant, found.backup, found.manifest_sha256)
        return found if named == (tenant, backup, manifest_sha256) else None


def _size(objects: Iterable[StoredObject]) -> int:
    return sum(each.size for each in objects)


def _backups(names: Mapping[str, StoredObject]) -> list[BackupId]:
    found = [match for name in names if (match := _OURS.fullmatch(name))]
    return [BackupId(UUID(one["backup"])) for one in found if one["backup"] and not one["check"]]


def _manifest_name(tenant: TenantId, backup: BackupId) -> str:
    return f"{tenant}/manifests/{backup}.json"


def _verify_name(tenant: TenantId, backup: BackupId) -> str:
    return f"{tenant}/manifests/{backup}.verify.json"
