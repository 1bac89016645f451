"""Wakes, sweeps and workers: each connection is pushed by one worker of one process at a time."""

import asyncio
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from contracts.clients import TenantsClient
from contracts.ids import ConnectionId, TenantId
from kit import clock, logs, telemetry
from kit.backoff import pause
from kit.db import Database
from kit.problems import Problem
from kit.supervisor import Run
from services.sync.connection import RunWhy
from services.sync.crm import connection_of
from services.sync.environments import Environments
from services.sync.push.batches import Paces
from services.sync.push.fence import Stopped
from services.sync.push.lock import Overtaken, locked
from services.sync.push.pulling import Pull
from services.sync.push.queue import PushQueue
from services.sync.push.record import CutShort, RunRecord, Whys, recorded
from services.sync.push.sending import Sending
from services.sync.push.unkeyed import give_keys
from services.sync.push.unread import Unread
from services.sync.settings import SyncSettings
from services.sync.store import connections, doubts, outgoing
from services.sync.tenant_keys import TenantKeys

_log = logs.get(__name__)
_BUSY_S = 1.0
_REST_PART = 0.1
_LOOKS = 5000  # rows that are doubted no more, in one push
_SWEEP_STEP_S = 0.02
_TOO_LONG = "sending took too long; it goes on after a pause"
_GOES_ON = "sending takes long; it goes on in its turn"
_MAKES_WAY = "sending takes long while others wait; it goes on in its turn"


class Pusher:
    """`wake` says that a connection may have something to send; a sweep asks all of them."""

    def __init__(
        self,
        db: Database,
        locks: Database,
        tenants: TenantsClient,
        keyring: TenantKeys,
        environments: Environments,
        settings: SyncSettings,
    ) -> None:
        self._db, self._locks, self._tenants = db, locks, tenants
        self._keyring, self._environments, self._settings = keyring, environments, settings
        self._queue = PushQueue(max(1, settings.workers // 2))
        self._timers: dict[ConnectionId, asyncio.TimerHandle] = {}
        self._reasons: dict[ConnectionId, str] = {}
        self._whys, self._unread = Whys(), Unread()
        self._paces = Paces(
            settings.batch_rows, settings.batch_rows_most, settings.parallel_batches
        )

    def wake(
        self,
        tenant: TenantId,
        connection: ConnectionId,
        after_s: float | None = None,
        why: RunWhy = "notice",
    ) -> None:
        """Push the tenant's connection soon; several wakes before that are one.

        The push has a trace of its own, which points to that of the last wake; to a push's own,
        whose rows are due again, only where nothing else has asked for it.
        """
        if reason := telemetry.sampled_trace():
            known = self._reasons.get(connection) if why == "due" else None
            self._reasons[connection] = known or reason
        self._whys.note(connection, why)
        if why == "notice":
            self._unread.note(connection)
        delay = self._settings.settle_s if after_s is None else after_s
        loop = asyncio.get_running_loop()
        timer = self._timers.get(connection)
        if timer is not None:
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[connection] = loop.call_later(delay, self._ask, tenant, connection)

    async def sweep(self) -> None:
        """Wake every connection that may send: a lost notice costs time, never data.

        One after the other: a notice that comes in between has its turn before most of them.
        """
        async with self._db.read() as reading:
            found = await connections.pushable(reading)
        step_s = min(_SWEEP_STEP_S, self._settings.sweep_s / 2 / max(len(found), 1))
        for number, (tenant, connection) in enumerate(found):
            self.wake(tenant, connection, number * step_s, "sweep")

    def loops(self) -> dict[str, Run]:
        """The workers, each a loop of its own."""
        return {f"push worker {n}": self._work for n in range(self._settings.workers)}

    async def forget_wakes(self) -> None:
        """Drop what was to be pushed later; a sweep finds it again."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._reasons.clear()
        self._whys.clear()
        self._unread.clear()

    def _ask(self, tenant: TenantId, connection: ConnectionId) -> None:
        self._timers.pop(connection, None)
        self._queue.ask(tenant, connection)

    async def _work(self) -> None:
        while True:
            tenant, connection = await self._queue.take()
            was_quick = False
            try:
                with self._traced(tenant, connection) as span:
                    sent, was_quick = await self._push_logged(tenant, connection)
                    span.note(rows=sent)
            finally:
                self._queue.give_back(connection, was_quick=was_quick)

    def _traced(
        self, tenant: TenantId, connection: ConnectionId
    ) -> AbstractContextManager[telemetry.Span]:
        """What only a sweep has asked for is not kept: that is every connection, all the time."""
        reason = self._reasons.pop(connection, "")
        if not reason:
            return telemetry.quiet_trace()
        return telemetry.trace("push", link=reason, tenant=tenant, connection=connection)

    async def _push_logged(self, tenant: TenantId, connection: ConnectionId) -> tuple[int, bool]:
        """One push and its end; how many rows the CRM has taken, and if within the quick time."""
        extra, record = {"connection": str(connection)}, self._record(connection)
        end = self._now() + self._settings.quick_s
        try:
            async with recorded(record):
                with self._unread.read(connection):
                    await self._push_in_time(tenant, connection, record)
        except Stopped as stopped:
            _log.warning("push stopped", **extra, reason=str(stopped))
        except Overtaken:
            self.wake(tenant, connection)
        except Problem as problem:
            _log.warning("push failed", **extra, slug=problem.slug)
        except Exception:
            _log.exception("push failed", **extra)
        was_quick = record.answered > 0 and self._now() < end
        await self._wake_when_due(tenant, connection, also_at_once=record.answered > 0)
        return record.sent, was_quick

    def _record(self, connection: ConnectionId) -> RunRecord:
        return RunRecord(self._db, connection, self._whys.take(connection))

    async def _push_in_time(
        self, tenant: TenantId, connection: ConnectionId, record: RunRecord
    ) -> None:
        """One push. One that lasts too long is cut: it goes on in its turn while the CRM takes
        rows, and rests first where it took none."""
        limit, end = asyncio.timeout(self._settings.push_s), self._now() + self._settings.push_s
        loop, arguments = asyncio.get_running_loop(), (tenant, connection, limit)
        overstaying = loop.call_later(self._settings.quick_s, self._overstay, *arguments)
        try:
            async with limit:
                try:
                    await self.push(tenant, connection, record)
                finally:
                    overstaying.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
            if self._now() < end:
                raise CutShort(_MAKES_WAY) from None
            if record.sent > 0:
                raise CutShort(_GOES_ON) from None
            await self._rest(connection)
            raise CutShort(_TOO_LONG) from None

    def _overstay(self, tenant: TenantId, connection: ConnectionId, limit: asyncio.Timeout) -> None:
        """Go on among the slow ones where they have room; else end, and wait for another turn."""
        if not self._queue.overstay(connection):
            self._queue.ask(tenant, connection)
            limit.reschedule(self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _rest(self, id_: ConnectionId) -> None:
        """A part of the time that it had, and longer each time."""
        async with self._db.write() as session:
            row = await connections.get(session, id_)
            if row is not None:
                failures = row.failures + 1
                until = clock.now() + pause(failures, self._settings.push_s * _REST_PART)
                await connections.hold(session, id_, until, _TOO_LONG, failures)

    async def push(self, tenant: TenantId, id_: ConnectionId, record: RunRecord) -> int:
        """One push; how many rows went out, 0 where another process is at it. Raises Stopped."""
        async with locked(self._locks, id_) as is_free:
            if not is_free:
                self.wake(tenant, id_, _BUSY_S, record.why)
                return 0
            async with self._db.write() as session:
                row = await connections.begin_push(session, id_)
                if row is not None:
                    await record.take_over(session)
                    await doubts.look_again(session, id_, self._doubted_before(), _LOOKS)
            if row is None:
                return 0
            connection = connection_of(row)
            crm = self._environments.of(connection)
            await give_keys(self._db, id_, row.generation, crm.same_key)
            page_rows = self._settings.page_rows
            async with Pull(self._db, self._tenants, row, page_rows, crm.same_key) as pull:
                sending = Sending(
                    self._db,
                    self._tenants,
                    self._keyring,
                    self._settings,
                    connection,
                    crm,
                    row,
                    record,
                    self._paces,
                )
                return await sending.run(pull)

    def _doubted_before(self) -> datetime:
        """What left before this is carried out by now, or never."""
        return clock.now() - timedelta(seconds=self._settings.doubt_s)

    async def _wake_when_due(
        self, tenant: TenantId, id_: ConnectionId, *, also_at_once: bool
    ) -> None:
        """Rows that wait, or a connection that was told to, are looked at in time.

        What is due already fell due while a push that sent something ended; else it waits for the
        sweep, as it stopped the push.
        """
        try:
            async with self._db.read() as session:
                row = await connections.get(session, id_)
                if row is None or row.state != "active" or row.suspended:
                    self._unread.forget(id_)
                    return
                due = await outgoing.next_due(session, id_, list(row.modules))
        except Exception:
            _log.exception("no look ahead", connection=str(id_))
            return
        if due is not None:
            moment = max(due, row.retry_at or due)
            delay_s = (moment - clock.now()).total_seconds()
            if delay_s < self._settings.sweep_s and (delay_s > 0 or also_at_once):
                self.wake(tenant, id_, max(delay_s, 0.0), "due")
