"""Sending what is due: intent before the call, outcome after it, present values every time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import Counter

from contracts.clients import TenantsClient
from contracts.events import ConnectionChanged, PushFinished
from kit import clock, outbox
from kit.backoff import is_exhausted, pause
from kit.db import Database, ReadSession, WriteSession
from services.sync.connection import Connection, ModuleMapping
from services.sync.crm import Crm, Outcome, Sent, Verdict
from services.sync.push.lock import Overtaken
from services.sync.push.plan import Item, plan
from services.sync.settings import SyncSettings
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow
from services.sync.store.outgoing import Settlement
from services.sync.tenant_keys import TenantKeys

_ROWS = Counter("bulkhead_sync_rows", "Rows sent to CRMs by what became of them.", ["state"])
_STOPPING = (Verdict.WAIT, Verdict.BROKEN)


class Stopped(Exception):
    """The connection has to wait or needs a person; what is due stays due."""


def may_send(row: ConnectionRow, now: datetime) -> bool:
    """Whether anything may go out over the connection of this row."""
    held = row.retry_at is not None and row.retry_at > now
    return row.state == "active" and not row.suspended and not held


@dataclass
class Sending:
    """One run over everything that is due for a connection; `row` is its row at the beginning."""

    db: Database
    tenants: TenantsClient
    keyring: TenantKeys
    settings: SyncSettings
    connection: Connection
    crm: Crm
    row: ConnectionRow
    sent_rows: int = field(default=0, init=False)
    parallel_hint: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.parallel_hint = self.row.parallel_hint

    async def run(self) -> int:
        """Send until nothing is due; how many rows. Raises Stopped, and Overtaken."""
        hash_key = await self.keyring.hash_key(self.connection.tenant)
        for module, mapping in self.connection.modules.items():
            while await self._round(module, mapping, hash_key):
                pass
        await self._finish()
        return self.sent_rows

    async def _round(self, module: str, mapping: ModuleMapping, hash_key: bytes) -> bool:
        """A few batches at once, no key in two of them; False when nothing was due."""
        rows = self.settings.batch_rows * self._batches_at_once()
        async with self.db.read() as session:
            await self._require_permission(session)
            due = await outgoing.due(session, self.connection.id, module, rows)
        if not due:
            return False
        found = await self.tenants.read_records(
            self.connection.tenant, self.connection.id, module, [row.record for row in due]
        )
        present = {one.id: one for one in found}
        made = plan(due, present, mapping, hash_key, clock.now(), self.crm.key_problem)
        intents = {item.record: item.difference.in_flight for item in made.items}
        async with self._writing() as session:
            await outgoing.settle(session, self.connection.id, made.settled)
            await outgoing.intend(session, self.connection.id, intents)
        if made.items:
            await self._send_all(mapping, made.items)
        return True

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncIterator[WriteSession]:
        """A transaction behind the fence: no other push begins before its end."""
        async with self.db.write() as session:
            if not await self._is_current(session):
                raise Overtaken
            yield session

    async def _is_current(self, session: WriteSession, *, alone: bool = False) -> bool:
        id_, generation = self.connection.id, self.row.generation
        return await connections.is_current(session, id_, generation, alone=alone)

    def _batches_at_once(self) -> int:
        """As many as the CRM recommends; one until it has said so."""
        return min(max(self.parallel_hint or 1, 1), self.settings.parallel_batches)

    async def _require_permission(self, session: ReadSession) -> None:
        """What was allowed when the push began may have been taken back since."""
        row = await connections.get(session, self.connection.id)
        if row is None or not may_send(row, clock.now()):
            raise Stopped("the connection may not send any more")
        if row.generation != self.row.generation:
            raise Overtaken

    async def _send_all(self, mapping: ModuleMapping, items: Sequence[Item]) -> None:
        """All batches come to their end before what one of them was told is obeyed."""
        if refusal := await self.crm.refusal():
            await self._stop(refusal)
        size = self.settings.batch_rows
        batches = [items[start : start + size] for start in range(0, len(items), size)]
        ends = await asyncio.gather(
            *(self._send(mapping, batch) for batch in batches), return_exceptions=True
        )
        await self._doubt_if_overtaken(items)
        stopping = [one for end in ends if not isinstance(end, BaseException) for one in end]
        if stopping:
            # BROKEN before the others, and of the waits the longest one.
            await self._stop(max(stopping, key=lambda one: (_weight(one), one.wait_s)))
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        async with self._writing() as session:
            await connections.release(session, self.connection.id)
            if self.parallel_hint is not None:
                await connections.note_hint(session, self.connection.id, self.parallel_hint)

    async def _doubt_if_overtaken(self, items: Sequence[Item]) -> None:
        """What has just left may have reached the CRM after what the other push has sent."""
        fields = {item.record: item.difference.in_flight for item in items}
        async with self.db.write() as session:
            is_current = await self._is_current(session, alone=True)
            if not is_current:
                await outgoing.intend(session, self.connection.id, fields)
                await outgoing.mark_again(session, self.connection.id, list(fields))
        if not is_current:
            raise Overtaken

    async def _send(self, mapping: ModuleMapping, items: Sequence[Item]) -> list[Outcome]:
        """Send one batch, in halves where it is refused as a whole; what stops the connection."""
        sent = await self.crm.upsert(mapping, [item.upsert for item in items])
        self.parallel_hint = sent.parallel_hint or self.parallel_hint
        whole = sent.whole
        if whole is not None and whole.verdict is Verdict.SPLIT:
            if len(items) > 1:
                return await self._send_halves(mapping, items)
            rejected = Outcome(Verdict.REJECTED, whole.reason, detail=whole.detail)
            sent = Sent(rows=[rejected])
        elif whole is not None:
            return [whole]
        return await self._settle(items, sent)

    async def _send_halves(self, mapping: ModuleMapping, items: Sequence[Item]) -> list[Outcome]:
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            async with self.db.read() as session:
                await self._require_permission(session)
            if stopping := await self._send(mapping, half):
                return stopping
        return []

    async def _settle(self, items: Sequence[Item], sent: Sent) -> list[Outcome]:
        now = clock.now()
        rows = [
            await self._settlement(item, outcome, now)
            for item, outcome in zip(items, sent.rows, strict=True)
            if outcome.verdict not in _STOPPING
        ]
        async with self._writing() as session:
            await outgoing.settle(session, self.connection.id, rows)
        for row in rows:
            _ROWS.labels(row.state).inc()
        self.sent_rows += len(rows)
        return [outcome for outcome in sent.rows if outcome.verdict in _STOPPING]

    async def _settlement(self, item: Item, outcome: Outcome, now: datetime) -> Settlement:
        if outcome.verdict is Verdict.OK:
            return Settlement(item.record, "ok", now, sent=item.difference.hashes)
        attempts = item.row.attempts + 1
        since = item.row.failing_since or now
        detail = await self._sealed(item, outcome.detail)
        again = outcome.verdict is Verdict.BACK_OFF
        if again and not is_exhausted(attempts, since, now, self.settings.max_attempts):
            later = now + pause(attempts, self.settings.backoff_s)
            return Settlement(item.record, "retry", later, attempts, since, outcome.reason, detail)
        reason = (
            f"{outcome.reason}; given up after {attempts} attempts" if again else outcome.reason
        )
        return Settlement(item.record, "parked", now, attempts, since, reason, detail)

    async def _sealed(self, item: Item, text: str) -> bytes | None:
        if not text:
            return None
        version, sealed = await self.keyring.seal(
            self.connection.tenant, self.connection.id, f"detail {item.record}", text
        )
        return version.to_bytes(4, "big") + sealed

    async def _stop(self, outcome: Outcome) -> None:
        """Write down why nothing more goes out, for this process and the next."""
        async with self._writing() as session:
            if outcome.verdict is Verdict.BROKEN:
                await self._break(session, outcome)
            else:
                await self._hold(session, outcome)
        raise Stopped(outcome.reason)

    async def _break(self, session: WriteSession, outcome: Outcome) -> None:
        id_ = self.connection.id
        if await connections.set_state(session, id_, "broken", outcome.reason, was=["active"]):
            await outbox.add(
                session, ConnectionChanged(tenant=self.connection.tenant, connection=id_)
            )

    async def _hold(self, session: WriteSession, outcome: Outcome) -> None:
        failures, wait = 0, timedelta(seconds=outcome.wait_s)
        if outcome.verdict is Verdict.BACK_OFF:
            failures = self.row.failures + 1
            wait = pause(failures, self.settings.backoff_s)
        until = clock.now() + wait
        await connections.hold(session, self.connection.id, until, outcome.reason, failures)

    async def _finish(self) -> None:
        if not self.sent_rows:
            return
        now, id_ = clock.now(), self.connection.id
        async with self.db.write() as session:
            await connections.note_push(session, id_, now)
            notice = PushFinished(tenant=self.connection.tenant, connection=id_, at=now)
            await outbox.add(session, notice)


def _weight(outcome: Outcome) -> int:
    return (Verdict.BACK_OFF, Verdict.WAIT, Verdict.BROKEN).index(outcome.verdict)
