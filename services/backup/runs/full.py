"""A run of a full backup: take, verify, tell, and let the oldest go."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from contracts.events import SnapshotCompleted, SnapshotFailed
from contracts.ids import SnapshotId, TenantId
from kit import clock, logs, outbox
from kit.db import Database
from services.backup.copy.take import Fulls
from services.backup.failures import Reason, reason_of
from services.backup.runs.schedule import pause_after
from services.backup.runs.stocktake import Stocktake
from services.backup.store import snapshots, tenants, turns
from services.backup.store.turns import Job
from services.backup.vault.catalogue import Catalogue, Entry
from services.backup.vault.objects import ObjectMissing

_ATTEMPTS = 3
_log = logs.get(__name__)


@dataclass(frozen=True)
class FullRun:
    """Work of kind "full"."""

    db: Database
    fulls: Fulls
    stocktake: Stocktake

    async def run(self, job: Job, holder: UUID) -> None:
        snapshot = SnapshotId(job.row["snapshot"])
        try:
            entry = await self._published(job.tenant, snapshot)
            entry = entry or await self._taken(job.tenant, snapshot)
            entry = await self.fulls.verify(entry)
        except asyncio.CancelledError:
            await self._requeue(job, holder)
            raise
        except Exception as error:
            await self._fail(job, holder, reason_of(error))
            return
        await self._complete(job, holder, entry)
        await self._tidy(job.tenant, holder)

    async def heal(self, job: Job, holder: UUID) -> None:
        """Try again (a manifest that was published is taken up), but not for ever."""
        if job.row["attempts"] >= _ATTEMPTS:
            await self._fail(job, holder, Reason.INTERRUPTED)
        else:
            await self._requeue(job, holder)

    async def _published(self, tenant: TenantId, snapshot: SnapshotId) -> Entry | None:
        """What an interrupted attempt has published; its manifest is create-only."""
        try:
            return await self._catalogue.entry(tenant, snapshot)
        except ObjectMissing:
            return None

    async def _taken(self, tenant: TenantId, snapshot: SnapshotId) -> Entry:
        async with self.db.read() as session:
            largest = await tenants.largest_vault_bytes(session)
        return await self.fulls.take(tenant, snapshot, largest)

    async def _complete(self, job: Job, holder: UUID, entry: Entry) -> None:
        snapshot, manifest = SnapshotId(job.row["snapshot"]), entry.manifest
        now = clock.now()
        # PostgreSQL's clock may be ahead of ours: a time in the future is no known age
        until = manifest.at if manifest.at <= now else job.started_at
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await snapshots.complete(session, snapshot, manifest, now)
            await tenants.cover(session, job.tenant, until, now)
            await outbox.add(session, SnapshotCompleted(tenant=job.tenant, snapshot=snapshot))
        _log.info(
            "full backup stored",
            extra={
                "tenant": str(job.tenant),
                "snapshot": str(snapshot),
                "bytes": manifest.size,
                "rows": manifest.rows,
            },
        )

    async def _fail(self, job: Job, holder: UUID, reason: Reason) -> None:
        snapshot, now = SnapshotId(job.row["snapshot"]), clock.now()
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await snapshots.fail(session, snapshot, reason, now)
            failures = await tenants.failures(session, job.tenant) + 1
            await tenants.postpone(session, job.tenant, failures, now + pause_after(failures))
            await outbox.add(session, SnapshotFailed(tenant=job.tenant, snapshot=snapshot))
        _log.error(
            "full backup failed",
            extra={"tenant": str(job.tenant), "snapshot": str(snapshot), "reason": reason},
        )

    async def _requeue(self, job: Job, holder: UUID) -> None:
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await snapshots.requeue(session, SnapshotId(job.row["snapshot"]))

    async def _tidy(self, tenant: TenantId, holder: UUID) -> None:
        """Retention and what killed runs left; the backup stands even where this fails."""
        try:
            await self.stocktake.take(tenant, holder)
        except Exception:
            _log.exception("retention failed", extra={"tenant": str(tenant)})

    @property
    def _catalogue(self) -> Catalogue:
        return self.fulls.catalogue
