"""Backups made by hand, without a database: for what looks at catalogues and never at data."""

from datetime import datetime

from contracts.ids import BackupId, TenantId, new_id
from kit import clock
from services.backup.copy.verify import result_of
from services.backup.vault.catalogue import Catalogue, Entry
from services.backup.vault.manifest import Manifest


async def published(
    catalogue: Catalogue, tenant: TenantId, *, at: datetime | None = None, data: str = ""
) -> Entry:
    """A backup with a check that passed; its data is six bytes that nothing opens."""
    name = data or catalogue.new_data_name(tenant)
    await catalogue.vault.put(name, iter([b"sealed"]))
    manifest = Manifest(
        tenant=tenant,
        backup=BackupId(new_id()),
        object=name,
        size=6,
        sha256="00",
        position="1:1:",
        lsn="0/1",
        at=at or clock.now(),
        src=str(new_id()),
        server="18.6",
        schema_version="",
        dump="pg_dump -Fc",
        zstd=2,
        key_version=1,
        tables={},
        seqs=[],
        pks={},
    )
    entry = await catalogue.publish(manifest)
    result = result_of(entry, "archive", passed=True)
    await catalogue.record(result)
    return Entry(entry.manifest, entry.sha256, result)
