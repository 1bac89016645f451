"""Runs: claims queued jobs, at most N at once and one per tenant, and heals what a crash left.

A run holds its tenant's turn and renews it; whoever loses the turn stops and changes nothing.
A run that ends, and whoever queues one, wakes the claiming: the clock only finds what was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar
from uuid import uuid4

from contracts.ids import TenantId
from kit import clock, logs, telemetry
from kit.db import Database
from kit.supervisor import end, spawn
from kit.timers import Timer
from services.backup.store import turns
from services.backup.store.run_queue import Job, RunQueue
from services.backup.store.turns import Turn

_log = logs.get(__name__)

Kind = Literal["full", "restore"]
J = TypeVar("J", bound=Job)


class Work(Protocol[J]):
    """What is done for one kind of run; it writes in its turn only."""

    @property
    def queue(self) -> RunQueue[J]:
        """Where its jobs come from."""

    async def run(self, job: J, turn: Turn) -> None:
        """Do it; on cancellation leave a state from which it can be healed."""

    async def heal(self, job: J, turn: Turn) -> None:
        """Its process died: finish it, queue it again, or mark it failed."""


@dataclass(frozen=True)
class RunLimits:
    """How many runs at once, how long a turn holds without being renewed, how often to look."""

    at_once: int
    turn_s: float
    tick_s: float


class Runs:
    """The runs of this process; `timer` is to be run for as long as it serves.

    The kinds are asked for queued jobs in the order of `works`.
    """

    def __init__(self, db: Database, works: Mapping[Kind, Work[Any]], limits: RunLimits) -> None:
        self._db, self._works, self._limits = db, works, limits
        self._tasks: dict[asyncio.Task[None], asyncio.Task[None]] = {}
        self._healing = set[asyncio.Task[None]]()
        self.timer = Timer("runs", limits.tick_s, self._tick)

    def wake(self) -> None:
        """Something may have been queued."""
        self.timer.wake()

    async def hold(self, tenant: TenantId, work: Callable[[Turn], Awaitable[None]]) -> None:
        """Do some short work in the tenant's turn, unless somebody else has it."""
        turn = await self._take(tenant)
        if turn is None:
            return
        try:
            await work(turn)
        finally:
            await self._give_up(turn)
            self.wake()  # who was queued meanwhile has waited for this turn

    async def _tick(self) -> None:
        """Heal what is abandoned, and start as many queued jobs as may run.

        Healing has places of its own: what cannot be healed yet holds up no run.
        """
        for kind, tenant in await self._abandoned():
            task = spawn(self._heal(kind, tenant), f"healing of a {kind}")
            self._healing.add(task)
            task.add_done_callback(self._healing.discard)
        while len(self._tasks) < self._limits.at_once:
            claimed = await self._claim()
            if claimed is None:
                return
            kind, job, turn = claimed
            work = spawn(self._run(kind, job, turn), kind)
            task = spawn(self._attend(kind, turn, work), f"attendant of a {kind}")
            self._tasks[task] = work
            task.add_done_callback(self._ended)

    async def _run(self, kind: Kind, job: Job, turn: Turn) -> None:
        with telemetry.trace(f"run {kind}", link=job.trace, tenant=job.tenant):
            await self._works[kind].run(job, turn)

    async def stop(self) -> None:
        """Cancel the work of this process and wait until every turn is given up."""
        for work in (*self._tasks.values(), *self._healing):
            work.cancel()
        await asyncio.gather(*self._tasks, *self._healing, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self.wake()

    async def _claim(self) -> tuple[Kind, Job, Turn] | None:
        holder, now = uuid4(), clock.now()
        asked = list[RunQueue[Any]]()
        async with self._db.write() as session:
            for kind, work in self._works.items():
                job = await work.queue.claim(session, holder, now, self._expiry(now), asked)
                if job is not None:
                    return kind, job, Turn(self._db, job.tenant, holder)
                asked.append(work.queue)
        return None

    async def _take(self, tenant: TenantId) -> Turn | None:
        holder, now = uuid4(), clock.now()
        async with self._db.write() as session:
            is_ours = await turns.take(session, tenant, holder, now, self._expiry(now))
        return Turn(self._db, tenant, holder) if is_ours else None

    async def _attend(self, kind: Kind, turn: Turn, work: asyncio.Task[None]) -> None:
        """Keep the turn while the work lasts, then give it up."""
        log = _log.bind(tenant=str(turn.tenant), kind=kind)
        beat = spawn(self._keep_turn(turn, work), "turn")
        try:
            await work
        except asyncio.CancelledError:
            log.info("run cancelled")
        except turns.TurnLost:
            log.warning("turn lost")
        except Exception:
            log.exception("run left open")
        finally:
            await end(beat)
            await self._give_up(turn)

    async def _keep_turn(self, turn: Turn, work: asyncio.Task[None]) -> None:
        """Renew until cancelled; stop the work when the turn is gone or cannot be renewed."""
        expires_at = self._expiry(clock.now())
        while True:
            await asyncio.sleep(self._limits.turn_s / 3)
            try:
                now = clock.now()
                async with self._db.write() as session:
                    held = await turns.renew(session, turn.tenant, turn.holder, self._expiry(now))
                expires_at = self._expiry(now) if held else now
            except Exception:
                _log.exception("turn not renewed", tenant=str(turn.tenant))
            if clock.now() >= expires_at:
                work.cancel()
                return

    async def _heal(self, kind: Kind, tenant: TenantId) -> None:
        """In the tenant's turn; where it fails nothing is woken, so that it waits for the clock."""
        turn = await self._take(tenant)
        if turn is None:
            return
        work = spawn(self._mend(kind, turn), f"healing of a {kind}")
        await self._attend(kind, turn, work)
        if not work.cancelled() and work.exception() is None:
            self.wake()

    async def _mend(self, kind: Kind, turn: Turn) -> None:
        """Look again, now that nobody else can be at it: another one may have healed it."""
        async with turn.write() as session:
            job = await self._works[kind].queue.left_open(session, turn.tenant)
        if job is not None:
            _log.warning("healing a run", tenant=str(turn.tenant), kind=kind)
            await self._works[kind].heal(job, turn)

    async def _give_up(self, turn: Turn) -> None:
        """Where the database is down, the turn ends by its time."""
        try:
            async with self._db.write() as session:
                await turns.give_up(session, turn.tenant, turn.holder)
        except Exception:
            _log.exception("turn not given up", tenant=str(turn.tenant))

    async def _abandoned(self) -> list[tuple[Kind, TenantId]]:
        room = max(0, self._limits.at_once - len(self._healing))
        found = list[tuple[Kind, TenantId]]()
        async with self._db.read() as session:
            for kind, work in self._works.items():
                left = await work.queue.abandoned(session, clock.now(), room)
                found += [(kind, tenant) for tenant in left]
        return found

    def _expiry(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._limits.turn_s)
