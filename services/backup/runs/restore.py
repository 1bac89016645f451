"""A run of a restore: fill a target, swap, tell; a failure leaves the tenant as it was."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from contracts.clients import TenantsClient
from contracts.events import RestoreCompleted
from contracts.ids import BackupId, RestoreId, TenantId
from kit import clock, logs, outbox
from kit.db import Database
from kit.problems import DependencyDown, NotFound, Problem
from services.backup.copy.load import Restores
from services.backup.failures import LOST, FailureReason, reason_of
from services.backup.store import backups, restores, turns
from services.backup.store.turns import Job

_log = logs.get(__name__)


@dataclass(frozen=True)
class RestoreRun:
    """Work of kind "restore"."""

    db: Database
    restores: Restores
    tenants: TenantsClient

    async def run(self, job: Job, holder: UUID) -> None:
        restore, target = RestoreId(job.row["restore"]), None
        try:
            target = await self.tenants.restore_target(job.tenant, restore)
            await self._aim(job, holder, target)
            proved = await self.restores.fill(job.tenant, BackupId(job.row["backup"]), target)
            await self._begin_swap(job, holder, proved=proved)
        except asyncio.CancelledError:
            await self._give_up(job, holder, target, FailureReason.INTERRUPTED)
            raise
        except turns.TurnLost:
            raise
        except Exception as error:
            await self._give_up(job, holder, target, reason_of(error))
            return
        await self._swap(job, holder, target)

    async def heal(self, job: Job, holder: UUID) -> None:
        """Before the swap nothing has changed: give up. From the swap on: finish it."""
        if job.row["state"] == "swapping":
            await self._swap(job, holder, job.row["target"])
        else:
            await self._give_up(job, holder, job.row["target"], FailureReason.INTERRUPTED)

    async def _swap(self, job: Job, holder: UUID, target: str) -> None:
        """Repeatable: where the answer is lost, the run stays open and is healed."""
        restore = RestoreId(job.row["restore"])
        try:
            await self.tenants.swap(job.tenant, restore, target)
        except DependencyDown:
            raise
        except Problem as refused:
            await self._give_up(job, holder, target, reason_of(refused))
            return
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await restores.complete(session, restore, clock.now())
            await outbox.add(session, RestoreCompleted(tenant=job.tenant, restore=restore))
        _log.info("restored", tenant=str(job.tenant), restore=str(restore))

    async def _aim(self, job: Job, holder: UUID, target: str) -> None:
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await restores.aim(session, RestoreId(job.row["restore"]), target)

    async def _begin_swap(self, job: Job, holder: UUID, *, proved: bool) -> None:
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await restores.begin_swap(session, RestoreId(job.row["restore"]))
            if proved:
                await backups.prove(session, BackupId(job.row["backup"]), "restored")

    async def _give_up(
        self, job: Job, holder: UUID, target: str | None, reason: FailureReason
    ) -> None:
        """Drop the target and say why; the tenant has never seen it."""
        restore = RestoreId(job.row["restore"])
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
        await self._drop(job.tenant, restore, target)
        async with self.db.write() as session:
            await turns.fence(session, job.tenant, holder)
            await restores.fail(session, restore, reason, clock.now())
            if reason in LOST:
                await backups.lose(session, BackupId(job.row["backup"]), reason, clock.now())
        _log.error(
            "restore failed",
            tenant=str(job.tenant),
            restore=str(restore),
            reason=reason,
        )

    async def _drop(self, tenant: TenantId, restore: RestoreId, target: str | None) -> None:
        """A target that cannot be dropped now is only space; the tenants service sweeps it."""
        try:
            target = target or await self.tenants.restore_target(tenant, restore)
            await self.tenants.drop_restore_target(tenant, target)
        except NotFound:
            return
        except Problem as problem:
            extra = {"restore": str(restore), "slug": problem.slug}
            _log.warning("target not dropped", **extra)
