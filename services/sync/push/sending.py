"""Sending what is due: intent before the call, outcome after it, present values every time."""

from dataclasses import dataclass, field
from datetime import timedelta

from contracts.clients import TenantsClient
from contracts.events import ConnectionChanged, PushFinished
from kit import clock, outbox
from kit.backoff import pause
from kit.db import Database, WriteSession
from services.sync.connection import Connection
from services.sync.crm import Crm, Outcome, Verdict
from services.sync.family import parents_first
from services.sync.push.drift import Drift
from services.sync.push.fence import Fence, Stopped
from services.sync.push.module_push import ModulePush
from services.sync.settings import SyncSettings
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow
from services.sync.tenant_keys import TenantKeys


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

    async def run(self) -> int:
        """Send until nothing is due; how many rows. Raises Stopped, and Overtaken."""
        fence = Fence(self.db, self.connection.id, self.row.generation)
        hash_key = await self.keyring.hash_key(self.connection.tenant)
        hint = self.row.parallel_hint
        drift = Drift(fence, self.connection, self.crm)
        for module in parents_first(self.connection.modules):
            if await self._is_due(module) and (stop := await drift.look(module)):
                await self._stop(fence, stop)
            push = ModulePush(
                fence=fence,
                tenants=self.tenants,
                keyring=self.keyring,
                settings=self.settings,
                connection=self.connection,
                crm=self.crm,
                missing=self.row.missing,
                module=module,
                hash_key=hash_key,
                parallel_hint=hint,
            )
            try:
                stop = await push.run()
            finally:
                self.sent_rows += push.sent_rows
            if stop is not None:
                await self._stop(fence, stop)
            hint = push.parallel_hint
        await self._finish(hint)
        return self.sent_rows

    async def _is_due(self, module: str) -> bool:
        async with self.db.read() as session:
            due = await outgoing.next_due(session, self.connection.id, [module])
        return due is not None and due <= clock.now()

    async def _stop(self, fence: Fence, outcome: Outcome) -> None:
        """Write down why nothing more goes out, for this process and the next."""
        async with fence.writing() as session:
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

    async def _finish(self, hint: int | None) -> None:
        if not self.sent_rows:
            return
        now, id_ = clock.now(), self.connection.id
        async with self.db.write() as session:
            await connections.note_push(session, id_, now)
            if hint is not None:
                await connections.note_hint(session, id_, hint)
            notice = PushFinished(tenant=self.connection.tenant, connection=id_, at=now)
            await outbox.add(session, notice)
