"""A run of a full backup: take, verify, tell, and let the oldest go."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from prometheus_client import Counter, Histogram

from contracts.events import BackupCompleted, BackupFailed
from contracts.ids import BackupId, TenantId
from kit import clock, logs, outbox
from kit.db import Database
from services.backup.copy.take import Fulls
from services.backup.failures import FailureReason, reason_of
from services.backup.runs.schedule import pause_after
from services.backup.runs.stocktake import Stocktake
from services.backup.store import backups, tenants, turns
from services.backup.store.turns import Job
from services.backup.vault.catalogue import Catalogue, Entry
from services.backup.vault.objects import ObjectMissing

_ATTEMPTS = 3
_SECONDS = Histogram(
    "bulkhead_backup_seconds",
    "How long a full took from its start to its check",
    buckets=(1, 5, 15, 60, 300, 900, 3_600, 14_400),
)
_BYTES = Histogram(
    "bulkhead_backup_bytes",
    "What a full takes in the vault",
    buckets=[float(10**power) for power in range(4, 13)],
)
_FAILURES = Counter("bulkhead_backup_failures", "Fulls that failed", ["reason"])
_log = logs.get(__name__)


@dataclass(frozen=True)
class FullRun:
    """Work of kind "full"."""

    db: Database
    fulls: Fulls
    stocktake: Stocktake

    async def run(self, job: Job, holder: UUID) -> None:
        backup = BackupId(job.row["backup"])
        try:
            entry = await self._published(job.tenant, backup)
            entry = entry or await self._taken(job.tenant, backup)
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
            await self._fail(job, holder, FailureReason.INTERRUPTED)
        else:
            await self._requeue(job, holder)

    async def _published(self, tenant: TenantId, backup: BackupId) -> Entry | None:
        """What an interrupted attempt has published; its manifest is create-only."""
        try:
            return await self._catalogue.entry(tenant, backup)
        except ObjectMissing:
            return None

    async def _taken(self, tenant: TenantId, backup: BackupId) -> Entry:
        async with self.db.read() as session:
            largest = await tenants.largest_vault_bytes(session)
        return await self.fulls.take(tenant, backup, largest)

    async def _complete(self, job: Job, holder: UUID, entry: Entry) -> None:
        backup, manifest = BackupId(job.row["backup"]), entry.manifest
        now = clock.now()
        # PostgreSQL's clock may be ahead of ours: a time in the future is no known age
        until = manifest.at if manifest.at <= now else job.started_at
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await backups.complete(session, backup, manifest, now)
            await tenants.cover(session, job.tenant, until, now)
            await outbox.add(session, BackupCompleted(tenant=job.tenant, backup=backup))
        _SECONDS.observe((now - job.started_at).total_seconds())
        _BYTES.observe(manifest.size)
        _log.info(
            "full backup stored",
            tenant=str(job.tenant),
            backup=str(backup),
            bytes=manifest.size,
            rows=manifest.rows,
        )

    async def _fail(self, job: Job, holder: UUID, reason: FailureReason) -> None:
        backup, now = BackupId(job.row["backup"]), clock.now()
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await backups.fail(session, backup, reason, now)
            failures = await tenants.failures(session, job.tenant) + 1
            await tenants.postpone(session, job.tenant, failures, now + pause_after(failures))
            await outbox.add(session, BackupFailed(tenant=job.tenant, backup=backup))
        _FAILURES.labels(reason).inc()
        _log.error(
            "full backup failed",
            tenant=str(job.tenant),
            backup=str(backup),
            reason=reason,
        )

    async def _requeue(self, job: Job, holder: UUID) -> None:
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await backups.requeue(session, BackupId(job.row["backup"]))

    async def _tidy(self, tenant: TenantId, holder: UUID) -> None:
        """Retention and what killed runs left; the backup stands even where this fails."""
        try:
            await self.stocktake.take(tenant, holder)
        except Exception:
            _log.exception("retention failed", tenant=str(tenant))

    @property
    def _catalogue(self) -> Catalogue:
        return self.fulls.catalogue
