"""Verifying: a stored backup counts once it was read back whole, and the result is signed."""

import asyncio
from dataclasses import dataclass

from kit import clock, logs
from services.backup.copy.pg_tools import PgTools
from services.backup.copy.read_back import stored_dump
from services.backup.failures import ALTERED, FailureReason, RunFailed
from services.backup.vault.catalogue import Catalogue, Entry
from services.backup.vault.key_files import KeyFiles
from services.backup.vault.manifest import Manifest, Proof, Verification
from services.backup.vault.objects import VaultDown

_log = logs.get(__name__)


@dataclass(frozen=True)
class BackupVerifier:
    """Checks what stands in the vault, with nothing but the vault, the keys and pg_restore."""

    catalogue: Catalogue
    keyring: KeyFiles
    tools: PgTools

    async def verify(self, entry: Entry) -> Entry:
        """Read the stored backup whole (digest, seals, pg_restore to its end) and keep the result.

        RunFailed where it does not pass; that is recorded too, where the fault is the backup's.
        """
        try:
            await self._read_through(entry.manifest)
        except RunFailed as failed:
            if failed.reason in ALTERED:
                await note(self.catalogue, result_of(entry, "archive", passed=False))
            raise
        result = result_of(entry, "archive", passed=True)
        await self.catalogue.record(result)
        return Entry(entry.manifest, entry.sha256, result)

    async def _read_through(self, manifest: Manifest) -> None:
        dump = stored_dump(self.catalogue.vault, self.keyring, manifest)
        with self.tools.reading() as process:
            await asyncio.to_thread(process.feed, dump, FailureReason.BROKEN)


async def note(catalogue: Catalogue, result: Verification) -> None:
    """Record a check where the vault lets us: its outcome does not hang on the note."""
    try:
        await catalogue.record(result)
    except VaultDown as refused:
        extra = {"backup": str(result.backup), "error": type(refused).__name__}
        _log.warning("check not noted in the vault", **extra)


def result_of(entry: Entry, proof: Proof, *, passed: bool) -> Verification:
    """What a check of a backup found, to be recorded beside its manifest."""
    manifest = entry.manifest
    return Verification(
        tenant=manifest.tenant,
        backup=manifest.backup,
        manifest_sha256=entry.sha256,
        proof=proof,
        passed=passed,
        at=clock.now(),
    )
