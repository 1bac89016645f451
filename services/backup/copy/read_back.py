"""Reading a stored backup back: a dump that comes to its end is bit by bit what was stored."""

from collections.abc import Iterator

from kit.sealing import SealBroken
from services.backup.failures import FailureReason, RunFailed, reason_of
from services.backup.vault.archive import ArchiveBinding, Tally, open_archive
from services.backup.vault.key_files import KeyFiles, KeyMissing, KeyringBroken, KeyUnopened
from services.backup.vault.manifest import Manifest
from services.backup.vault.objects import ObjectMissing, Vault


def stored_dump(vault: Vault, keyring: KeyFiles, manifest: Manifest) -> Iterator[bytes]:
    """The dump in chunks; RunFailed where a seal, the size or the digest does not fit. Blocks."""
    tally = Tally()
    place = ArchiveBinding(manifest.tenant, manifest.backup, manifest.kind)
    stored = tally.over(vault.chunks(manifest.object))
    try:
        yield from open_archive(stored, place, lambda v: keyring.key(manifest.tenant, v))
    except (SealBroken, ObjectMissing, KeyMissing, KeyringBroken, KeyUnopened) as error:
        raise RunFailed(reason_of(error)) from None
    if (tally.size, tally.sha256) != (manifest.size, manifest.sha256):
        raise RunFailed(FailureReason.BROKEN)
