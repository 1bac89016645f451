"""Sending what is due: intent before the call, outcome after it, present values every time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from contracts.clients import TenantsClient
from contracts.events import PushFinished
from kit import clock, outbox
from kit.backoff import pause
from kit.db import Database, WriteSession
from services.sync import announcing
from services.sync.connection import Connection
from services.sync.crm import Crm, Meaning, Verdict
from services.sync.family import children_of, parents_first
from services.sync.push.batches import Paces
from services.sync.push.drift import Drift
from services.sync.push.fence import Fence, Stopped
from services.sync.push.lock import Overtaken
from services.sync.push.module_push import ModulePush
from services.sync.push.pulling import Pull
from services.sync.push.record import RunRecord
from services.sync.push.returned import Returned
from services.sync.settings import SyncSettings
from services.sync.store import connections, credentials, left_rows, outgoing
from services.sync.store.connections import ConnectionRow
from services.sync.tenant_keys import TenantKeys

_AT_ONCE = 5000  # rows in a transaction


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
    record: RunRecord
    paces: Paces
    sent_rows: int = field(default=0, init=False)

    async def run(self, pull: Pull) -> int:
        """Send until nothing is due and nothing is left to read; how many rows.

        Raises Stopped, Overtaken, and what reading raises.
        """
        fence = Fence(self.db, self.connection.id, self.row.generation, self.row.forgets)
        hash_key = await self.keyring.hash_key(self.connection.tenant)
        modules = parents_first(self.connection.modules)
        pushes = [self._of_module(module, fence, hash_key) for module in modules]
        hint = self.row.parallel_hint
        drift = Drift(fence, self.connection, self.crm)
        is_first, was_woken = True, False
        while await pull.more() or is_first or was_woken:
            is_first = was_woken = False
            for push in pushes:
                hint = push.parallel_hint = hint or push.parallel_hint
                stop = await self._run(push, drift)
                self.sent_rows = sum(one.sent_rows for one in pushes)
                hint = push.parallel_hint
                if stop is not None:
                    await self._stop(fence, stop)
                was_woken = await self._wake_children(push, fence) or was_woken
        await self._finish(hint)
        return self.sent_rows

    async def _wake_children(self, push: ModulePush, fence: Fence) -> bool:
        """Rows that waited for those that have just been made; whether there are any."""
        if not push.take_made():
            return False
        return await wake_children(fence, children_of(push.module, self.connection.modules))

    async def _run(self, push: ModulePush, drift: Drift) -> Verdict | None:
        """What stops everything: a column that is gone stops it before the first row."""
        if not await self._is_due(push.module):
            return None
        target = await drift.look(push.module)
        if isinstance(target, Verdict):
            return target
        if stop := await push.run(target):
            return stop
        if push.has_refused:
            self.crm.forget_targets()
            fresh = await drift.look(push.module)
            if isinstance(fresh, Verdict):
                return fresh
            if fresh.fingerprint != target.fingerprint and (stop := await push.run(fresh)):
                return stop
            target = fresh
        looking = (push.fence, self.crm, push.module, self.connection.modules[push.module])
        returned = await Returned(*looking).look()
        if isinstance(returned, Verdict):
            return returned
        return await push.run(target) if returned else None

    async def _is_due(self, module: str) -> bool:
        id_ = self.connection.id
        async with self.db.read() as session:
            due = await outgoing.next_due(session, id_, [module])
            is_due = due is not None and due <= clock.now()
            return is_due or await left_rows.are_due(session, id_, module)

    def _of_module(self, module: str, fence: Fence, hash_key: bytes) -> ModulePush:
        return ModulePush(
            fence=fence,
            record=self.record,
            tenants=self.tenants,
            keyring=self.keyring,
            settings=self.settings,
            connection=self.connection,
            crm=self.crm,
            missing=self.row.missing,
            module=module,
            hash_key=hash_key,
            size=self.paces.size(self.connection.crm, module),
            width=self.paces.width(self.connection.crm),
            parallel_hint=self.row.parallel_hint,
            was_held=self.row.was_held,
        )

    async def _stop(self, fence: Fence, verdict: Verdict) -> None:
        """Write down why nothing more goes out, for this process and the next."""
        async with fence.writing() as session:
            if verdict.meaning is Meaning.BROKEN:
                await self._break(session, verdict)
            else:
                await self._hold(session, verdict)
        raise Stopped(verdict.reason)

    async def _break(self, session: WriteSession, verdict: Verdict) -> None:
        id_ = self.connection.id
        if verdict.tried and await credentials.has_other(session, id_, verdict.tried):
            raise Overtaken  # somebody has changed the credentials: the next push has those
        if await connections.set_state(session, id_, "broken", verdict.reason, was=["active"]):
            await announcing.connection_broke(session, self.connection.tenant, id_)

    async def _hold(self, session: WriteSession, verdict: Verdict) -> None:
        failures, wait = 0, timedelta(seconds=verdict.wait_s)
        if verdict.meaning is Meaning.BACK_OFF:
            # a CRM that has taken rows since this push began has not failed so often in a row
            failures = (0 if self.sent_rows else self.row.failures) + 1
            wait = pause(failures, self.settings.backoff_s)
        until = clock.now() + wait
        await connections.hold(session, self.connection.id, until, verdict.reason, failures)

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


async def wake_children(fence: Fence, modules: Sequence[str]) -> bool:
    """A part in each transaction; whether there were any. Raises Overtaken."""
    woken, some = 0, _AT_ONCE
    while some == _AT_ONCE:
        async with fence.writing() as session:
            some = await outgoing.wake_children(session, fence.connection, modules, _AT_ONCE)
        woken += some
    return woken > 0
