"""Runs: claims queued jobs, at most N at once and one per tenant, and heals what a crash left.

A run holds its tenant's turn and renews it; whoever loses the turn stops and changes nothing.
A run that ends, and whoever queues one, wakes the claiming: the clock only finds what was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid4

from contracts.ids import TenantId
from kit import clock, logs, telemetry
from kit.db import Database
from kit.supervisor import spawn
from kit.timers import Timer
from services.backup.store import turns
from services.backup.store.turns import Job

_log = logs.get(__name__)


class Work(Protocol):
    """What is done for one kind of job, while `holder` has the tenant's turn."""

    async def run(self, job: Job, holder: UUID) -> None:
        """Do it; on cancellation leave a state from which it can be healed."""

    async def heal(self, job: Job, holder: UUID) -> None:
        """Its process died: finish it, queue it again, or mark it failed."""


@dataclass(frozen=True)
class RunLimits:
    """How many runs at once, how long a turn holds without being renewed, how often to look."""

    at_once: int
    turn_s: float
    tick_s: float


class Runs:
    """The runs of this process; `timer` is to be run for as long as it serves."""

    def __init__(self, db: Database, full: Work, restore: Work, limits: RunLimits) -> None:
        self._db, self._limits = db, limits
        self._work: dict[str, Work] = {"full": full, "restore": restore}
        self._tasks: dict[asyncio.Task[None], asyncio.Task[None]] = {}
        self._healing = set[asyncio.Task[None]]()
        self.timer = Timer("runs", limits.tick_s, self._tick)

    def wake(self) -> None:
        """Something may have been queued."""
        self.timer.wake()

    async def hold(self, tenant: TenantId, work: Callable[[UUID], Awaitable[None]]) -> None:
        """Do some short work in the tenant's turn, unless somebody else has it."""
        holder, now = uuid4(), clock.now()
        async with self._db.write() as session:
            if not await turns.take(session, tenant, holder, now, self._expiry(now)):
                return
        try:
            await work(holder)
        finally:
            await self._give_up(tenant, holder)
            self.wake()  # who was queued meanwhile has waited for this turn

    async def _tick(self) -> None:
        """Heal what is abandoned, and start as many queued jobs as may run.

        Healing has places of its own: what cannot be healed yet holds up no run.
        """
        for left in await self._abandoned():
            task = spawn(self._heal(left), f"healing of a {left.kind}")
            self._healing.add(task)
            task.add_done_callback(self._healing.discard)
        while len(self._tasks) < self._limits.at_once:
            holder, now = uuid4(), clock.now()
            async with self._db.write() as session:
                job = await turns.claim(session, holder, now, self._expiry(now))
            if job is None:
                return
            work = spawn(self._run(job, holder), job.kind)
            task = spawn(self._attend(job, holder, work), f"attendant of a {job.kind}")
            self._tasks[task] = work
            task.add_done_callback(self._ended)

    async def _run(self, job: Job, holder: UUID) -> None:
        with telemetry.trace(f"run {job.kind}", tenant=job.tenant):
            await self._work[job.kind].run(job, holder)

    async def stop(self) -> None:
        """Cancel the work of this process and wait until every turn is given up."""
        for work in (*self._tasks.values(), *self._healing):
            work.cancel()
        await asyncio.gather(*self._tasks, *self._healing, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self.wake()

    async def _attend(self, job: Job, holder: UUID, work: asyncio.Task[None]) -> None:
        """Keep the turn while the work lasts, then give it up."""
        beat = spawn(self._keep_turn(job.tenant, holder, work), "turn")
        try:
            await work
        except asyncio.CancelledError:
            _log.info("run cancelled", tenant=str(job.tenant), kind=job.kind)
        except turns.TurnLost:
            _log.warning("turn lost", tenant=str(job.tenant), kind=job.kind)
        except Exception:
            _log.exception("run left open", tenant=str(job.tenant), kind=job.kind)
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            await self._give_up(job.tenant, holder)

    async def _keep_turn(self, tenant: TenantId, holder: UUID, work: asyncio.Task[None]) -> None:
        """Renew until cancelled; stop the work when the turn is gone or cannot be renewed."""
        expires_at = self._expiry(clock.now())
        while True:
            await asyncio.sleep(self._limits.turn_s / 3)
            try:
                now = clock.now()
                async with self._db.write() as session:
                    held = await turns.renew(session, tenant, holder, self._expiry(now))
                expires_at = self._expiry(now) if held else now
            except Exception:
                _log.exception("turn not renewed", tenant=str(tenant))
            if clock.now() >= expires_at:
                work.cancel()
                return

    async def _heal(self, job: Job) -> None:
        """In the tenant's turn; where it fails nothing is woken, so that it waits for the clock."""
        holder, now = uuid4(), clock.now()
        async with self._db.write() as session:
            if not await turns.take(session, job.tenant, holder, now, self._expiry(now)):
                return
        extra = {"tenant": str(job.tenant), "kind": job.kind}
        _log.warning("healing a run", **extra)
        work = spawn(self._work[job.kind].heal(job, holder), f"healing of a {job.kind}")
        await self._attend(job, holder, work)
        if not work.cancelled() and work.exception() is None:
            self.wake()

    async def _give_up(self, tenant: TenantId, holder: UUID) -> None:
        """Where the database is down, the turn ends by its time."""
        try:
            async with self._db.write() as session:
                await turns.give_up(session, tenant, holder)
        except Exception:
            _log.exception("turn not given up", tenant=str(tenant))

    async def _abandoned(self) -> list[Job]:
        room = max(0, self._limits.at_once - len(self._healing))
        async with self._db.read() as session:
            return list(await turns.abandoned(session, clock.now(), room))

    def _expiry(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._limits.turn_s)
