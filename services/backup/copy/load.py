"""Restoring one tenant: into an empty database beside the present one, compared table by table,
and only then put in its place. Until that last step the tenant is as it was.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from contracts.clients import Lease, TenantsClient
from contracts.ids import BackupId, TenantId
from services.backup.copy.fingerprint import differing, fingerprints, row_counts
from services.backup.copy.moment import dump_lease, give_back, leased
from services.backup.copy.pg_tools import PgTools
from services.backup.copy.read_back import stored_dump
from services.backup.copy.verify import note, result_of
from services.backup.failures import ALTERED, FailureReason, RunFailed
from services.backup.vault.catalogue import Catalogue
from services.backup.vault.key_files import KeyFiles
from services.backup.vault.manifest import Fingerprint, Manifest


@dataclass(frozen=True)
class Restores:
    """Plans restores and fills their target databases."""

    catalogue: Catalogue
    keyring: KeyFiles
    tenants: TenantsClient
    tools: PgTools

    async def plan(self, tenant: TenantId, backup: BackupId) -> dict[str, Any]:
        """What a restore would do: the moment it goes back to, and rows per table then and now."""
        manifest = (await self.catalogue.entry(tenant, backup)).manifest
        async with dump_lease(self.tenants, tenant) as lease, leased(lease) as rows:
            now = await row_counts(rows)
        then = {name: int(count) for name, (count, _, _) in manifest.tables.items()}
        return {
            "taken_at": manifest.at.isoformat(),
            "size_bytes": manifest.size,
            "rows_then": sum(then.values()),
            "rows_now": sum(now.values()),
            "tables": [
                {"table": name, "rows_then": then.get(name), "rows_now": now.get(name)}
                for name in sorted(then.keys() | now.keys())
            ],
        }

    async def fill(self, tenant: TenantId, backup: BackupId, target: str) -> bool:
        """Load the backup into `target` and compare; RunFailed unless every table is equal.

        False where a newer PostgreSQL hashes rows differently: then only counts were compared.
        """
        entry = await self.catalogue.entry(tenant, backup)
        lease = await self.tenants.lease(tenant, "restore", target)
        try:
            await self._load(lease, entry.manifest)
            proved = await _compare(lease, entry.manifest)
        except RunFailed as failed:
            if failed.reason in ALTERED:
                await note(self.catalogue, result_of(entry, "restored", passed=False))
            raise
        finally:
            await give_back(self.tenants, tenant, lease)
        if proved:
            await note(self.catalogue, result_of(entry, "restored", passed=True))
        return proved

    async def _load(self, lease: Lease, manifest: Manifest) -> None:
        dump = stored_dump(self.catalogue.vault, self.keyring, manifest)
        with self.tools.loading(lease) as process:
            await asyncio.to_thread(process.feed, dump, FailureReason.LOAD_FAILED)


async def _compare(lease: Lease, manifest: Manifest) -> bool:
    """RunFailed where data differs; False where only the counts could be compared."""
    async with leased(lease, role=lease.owner) as rows:
        server = str((await rows.fetchrow("SELECT current_setting('server_version')"))[0])
        found, then = await fingerprints(rows), manifest.tables
    comparable = server.split(".")[0] == manifest.server.split(".")[0]
    if differing(then, found) if comparable else _counts(then) != _counts(found):
        raise RunFailed(FailureReason.DIFFERS)
    return comparable


def _counts(tables: dict[str, Fingerprint]) -> dict[str, str]:
    return {name: fingerprint[0] for name, fingerprint in tables.items()}
