"""Full backups: the whole of one tenant at one moment, sealed before it touches a disk.

Order of writes: data under a fresh random name, durable; then the signed manifest, create-only;
then the check of what was written (verify.py). A run that dies in between leaves nothing that
counts.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contracts.clients import Lease, TenantsClient
from contracts.ids import BackupId, TenantId
from kit.supervisor import end, spawn
from services.backup.copy.fingerprint import fingerprints, primary_keys, sequences
from services.backup.copy.moment import Moment, held
from services.backup.copy.pg_tools import PgTools
from services.backup.copy.room import VaultRoom
from services.backup.vault.archive import ZSTD_LEVEL, ArchiveBinding, Tally, seal_archive
from services.backup.vault.catalogue import Catalogue
from services.backup.vault.key_files import KeyFiles, TenantKey
from services.backup.vault.manifest import Fingerprint, Manifest

Check = Callable[[int], None]
"""Raises RunFailed where so many more bytes are too many for the tenant."""


@dataclass(frozen=True)
class Written:
    """A stored archive that no manifest names yet."""

    name: str
    key: TenantKey
    tally: Tally


@dataclass(frozen=True)
class Description:
    """What a database holds at one moment, and what dumps it."""

    dump: str
    tables: dict[str, Fingerprint]
    seqs: list[tuple[str, int | None, bool]]
    pks: dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class Fulls:
    """Takes full backups; `room` bounds the bytes of one tenant in the vault."""

    catalogue: Catalogue
    keyring: KeyFiles
    tenants: TenantsClient
    tools: PgTools
    room: VaultRoom

    async def take(self, tenant: TenantId, backup: BackupId, largest: int = 0) -> Manifest:
        """Store a full; it is a backup once this manifest of it is published.

        Raises what failed, and then nothing is listed.

        `largest` is how much the tenant holds in the vault that holds most.
        """
        place = ArchiveBinding(tenant, backup)
        used = await self.catalogue.size(tenant)

        def check(more: int) -> None:
            self.room.check(used + more, largest)

        await asyncio.to_thread(check, 0)
        async with held(self.tenants, tenant) as (lease, moment):
            written, described = await self._write(lease, moment, place, check)
        return _manifest(place, moment, written, described)

    async def _write(
        self, lease: Lease, moment: Moment, place: ArchiveBinding, check: Check
    ) -> tuple[Written, Description]:
        """Dump and hash at once, in two transactions that see the same moment."""
        describing = spawn(self._describe(moment), "description of a full")
        try:
            written = await self._store(lease, moment, place, check)
            return written, await describing
        finally:
            await end(describing)

    async def _store(
        self, lease: Lease, moment: Moment, place: ArchiveBinding, check: Check
    ) -> Written:
        key = await asyncio.to_thread(self.keyring.current, place.tenant)
        name, tally = self.catalogue.new_data_name(place.tenant), Tally()
        with self.tools.dump(lease, moment.exported) as plain:
            sealed = tally.over(seal_archive(plain, place, key))
            await self.catalogue.vault.put(name, within(check, sealed, lambda: tally.size))
        return Written(name, key, tally)

    async def _describe(self, moment: Moment) -> Description:
        tables = await fingerprints(moment.rows)
        return Description(
            dump=f"{await asyncio.to_thread(self.tools.version)} -Fc",
            tables=tables,
            seqs=await sequences(moment.rows),
            pks=await primary_keys(moment.rows, sorted(tables)),
        )


def _manifest(
    place: ArchiveBinding, moment: Moment, written: Written, described: Description
) -> Manifest:
    return Manifest(
        tenant=place.tenant,
        backup=place.backup,
        object=written.name,
        size=written.tally.size,
        sha256=written.tally.sha256,
        position=moment.position,
        lsn=moment.lsn,
        at=moment.at,
        src=moment.chain,
        server=moment.server,
        schema_version=moment.schema_version,
        dump=described.dump,
        zstd=ZSTD_LEVEL,
        key_version=written.key.version,
        tables=described.tables,
        seqs=described.seqs,
        pks=described.pks,
    )


def within(check: Check, chunks: Iterator[bytes], size: Callable[[], int]) -> Iterator[bytes]:
    """The chunks; RunFailed as soon as their `size` is more than the tenant may store."""
    for chunk in chunks:
        check(size())
        yield chunk
