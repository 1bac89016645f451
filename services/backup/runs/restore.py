"""A run of a restore: fill a target, swap, tell; a failure leaves the tenant as it was."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from contracts.clients import TenantsClient
from contracts.events import RestoreCompleted
from kit import clock, logs, outbox
from kit.problems import DependencyDown, NotFound, Problem
from services.backup.copy.load import Restores
from services.backup.failures import LOST, FailureReason, reason_of
from services.backup.store import backups, restores
from services.backup.store.restores import RESTORES, RestoreJob
from services.backup.store.run_queue import RunQueue
from services.backup.store.turns import Turn, TurnLost

_log = logs.get(__name__)


@dataclass(frozen=True)
class RestoreRun:
    """Work of kind "restore"."""

    restores: Restores
    tenants: TenantsClient
    queue: ClassVar[RunQueue[RestoreJob]] = RESTORES

    async def run(self, job: RestoreJob, turn: Turn) -> None:
        target = None
        try:
            target = await self.tenants.restore_target(job.tenant, job.restore)
            await self._aim(job, turn, target)
            proved = await self.restores.fill(job.tenant, job.backup, target)
            await self._begin_swap(job, turn, proved=proved)
        except asyncio.CancelledError:
            await self._give_up(job, turn, target, FailureReason.INTERRUPTED)
            raise
        except TurnLost:
            raise
        except Exception as error:
            await self._give_up(job, turn, target, reason_of(error))
            return
        await self._swap(job, turn, target)

    async def heal(self, job: RestoreJob, turn: Turn) -> None:
        """Before the swap nothing has changed: give up. From the swap on: finish it."""
        if job.is_swapping:
            assert job.target is not None
            await self._swap(job, turn, job.target)
        else:
            await self._give_up(job, turn, job.target, FailureReason.INTERRUPTED)

    async def _swap(self, job: RestoreJob, turn: Turn, target: str) -> None:
        """Repeatable: where the answer is lost, the run stays open and is healed."""
        try:
            await self.tenants.swap(job.tenant, job.restore, target)
        except DependencyDown:
            raise
        except Problem as refused:
            await self._give_up(job, turn, target, reason_of(refused))
            return
        async with turn.write() as session:
            await restores.complete(session, job.restore, clock.now())
            await outbox.add(session, RestoreCompleted(tenant=job.tenant, restore=job.restore))
        _log.info("restored", tenant=str(job.tenant), restore=str(job.restore))

    async def _aim(self, job: RestoreJob, turn: Turn, target: str) -> None:
        async with turn.write() as session:
            await restores.aim(session, job.restore, target)

    async def _begin_swap(self, job: RestoreJob, turn: Turn, *, proved: bool) -> None:
        async with turn.write() as session:
            await restores.begin_swap(session, job.restore)
            if proved:
                await backups.prove(session, job.backup, "restored")

    async def _give_up(
        self, job: RestoreJob, turn: Turn, target: str | None, reason: FailureReason
    ) -> None:
        """Drop the target and say why; the tenant has never seen it."""
        await turn.require()  # who was overtaken drops nothing either
        await self._drop(job, target)
        async with turn.write() as session:
            await restores.fail(session, job.restore, reason, clock.now())
            if reason in LOST:
                await backups.lose(session, job.backup, reason, clock.now())
        _log.error(
            "restore failed",
            tenant=str(job.tenant),
            restore=str(job.restore),
            reason=reason,
        )

    async def _drop(self, job: RestoreJob, target: str | None) -> None:
        """A target that cannot be dropped now is only space; the tenants service sweeps it."""
        try:
            target = target or await self.tenants.restore_target(job.tenant, job.restore)
            await self.tenants.drop_restore_target(job.tenant, target)
        except NotFound:
            return
        except Problem as problem:
            extra = {"restore": str(job.restore), "slug": problem.slug}
            _log.warning("target not dropped", **extra)
