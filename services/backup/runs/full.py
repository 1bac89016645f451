"""A run of a full backup: take, verify, tell, and let the oldest go."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from prometheus_client import Counter, Histogram

from contracts.events import BackupCompleted, BackupFailed
from kit import clock, logs, outbox
from kit.db import Database
from services.backup.copy.take import Fulls
from services.backup.copy.verify import BackupVerifier
from services.backup.failures import FailureReason, reason_of
from services.backup.runs.schedule import pause_after
from services.backup.runs.stocktake import Stocktake
from services.backup.store import backups, tenants
from services.backup.store.backups import FULLS, FullJob
from services.backup.store.run_queue import RunQueue
from services.backup.store.turns import Turn, TurnLost
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
    verifier: BackupVerifier
    stocktake: Stocktake
    queue: ClassVar[RunQueue[FullJob]] = FULLS

    async def run(self, job: FullJob, turn: Turn) -> None:
        try:
            entry = await self._published(job) or await self._taken(job, turn)
            entry = await self.verifier.verify(entry)
        except asyncio.CancelledError:
            await self._requeue(job, turn)
            raise
        except TurnLost:
            raise
        except Exception as error:
            await self._fail(job, turn, reason_of(error))
            return
        await self._complete(job, turn, entry)
        await self._tidy(turn)

    async def heal(self, job: FullJob, turn: Turn) -> None:
        """Try again (a manifest that was published is taken up), but not for ever."""
        if job.attempts >= _ATTEMPTS:
            await self._fail(job, turn, FailureReason.INTERRUPTED)
        else:
            await self._requeue(job, turn)

    async def _published(self, job: FullJob) -> Entry | None:
        """What an interrupted attempt has published; its manifest is create-only."""
        try:
            return await self._catalogue.entry(job.tenant, job.backup)
        except ObjectMissing:
            return None

    async def _taken(self, job: FullJob, turn: Turn) -> Entry:
        """Who was overtaken meanwhile publishes nothing: its data is nobody's."""
        async with self.db.read() as session:
            largest = await tenants.largest_vault_bytes(session)
        manifest = await self.fulls.take(job.tenant, job.backup, largest)
        async with turn.write():
            return await self._catalogue.publish(manifest)

    async def _complete(self, job: FullJob, turn: Turn, entry: Entry) -> None:
        backup, manifest, now = job.backup, entry.manifest, clock.now()
        # PostgreSQL's clock may be ahead of ours: a time in the future is no known age
        until = manifest.at if manifest.at <= now else job.started_at
        async with turn.write() as session:
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

    async def _fail(self, job: FullJob, turn: Turn, reason: FailureReason) -> None:
        backup, now = job.backup, clock.now()
        async with turn.write() as session:
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

    async def _requeue(self, job: FullJob, turn: Turn) -> None:
        async with turn.write() as session:
            await backups.requeue(session, job.backup)

    async def _tidy(self, turn: Turn) -> None:
        """Retention and what killed runs left; the backup stands even where this fails."""
        try:
            await self.stocktake.take(turn)
        except Exception:
            _log.exception("retention failed", tenant=str(turn.tenant))

    @property
    def _catalogue(self) -> Catalogue:
        return self.fulls.catalogue
