"""One module's due rows on their way: reading and sending overlap, nothing is held for long."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.clients import TenantsClient
from kit import clock
from services.sync.connection import Connection, Missing
from services.sync.crm import Crm, Meaning, Target, Verdict
from services.sync.push.batches import FEW, BatchSize, Width, cut
from services.sync.push.bookkeeping import Books
from services.sync.push.examination import Examination
from services.sync.push.fence import Fence
from services.sync.push.finding import locate
from services.sync.push.judging import STOPPING, Judgement, gravest, judge
from services.sync.push.lanes import Lanes
from services.sync.push.lock import Overtaken
from services.sync.push.plan import Item, PushPlan, Rules, key_of, plan
from services.sync.push.record import RunRecord
from services.sync.push.settlements import Settler
from services.sync.push.suspects import Suspects, at_this_row, failed
from services.sync.settings import SyncSettings
from services.sync.store import outgoing, ownership
from services.sync.store.outgoing import DueRow
from services.sync.tenant_keys import TenantKeys

_READ_AT_ONCE = 2000  # rows with their values


@dataclass
class ModulePush:
    """One push of one module. `sent_rows` counts those that the CRM has answered for.

    `was_held` where the connection has still to be released from a wait that is over.
    """

    fence: Fence
    record: RunRecord
    tenants: TenantsClient
    keyring: TenantKeys
    settings: SyncSettings
    connection: Connection
    crm: Crm
    missing: Missing
    module: str
    hash_key: bytes = field(repr=False)
    size: BatchSize
    width: Width
    parallel_hint: int | None = None
    was_held: bool = False

    def __post_init__(self) -> None:
        self._mapping = self.connection.modules[self.module]
        self._busy = dict[UUID, set[str]]()  # the keys of the records that are on their way
        self._stops = list[Verdict]()
        self._unsure = set[UUID]()  # records of which a call is on its way whose end is unknown
        self._made_rows = 0
        self._books = Books(
            self.fence, self.record, self.connection, self.module, self._busy, self.was_held
        )
        self._examination = Examination(self.crm, self._mapping)
        self._suspects = Suspects()
        self._settler = Settler(self.keyring, self.connection, self.missing, self.settings)
        self.has_refused = False  # something, by what the CRM has described

    async def run(self, target: Target) -> Verdict | None:
        """Send until nothing is due; what stops the whole connection. Raises Overtaken, Stopped.

        `target` is the table as the CRM describes it.
        """
        while await self._pass(target):
            if self._stops:
                return gravest(self._stops)
        return gravest(self._stops) if self._stops else None

    @property
    def sent_rows(self) -> int:
        return self._books.answered

    def take_made(self) -> bool:
        """Whether rows were made in the CRM since this was asked the last time."""
        made, self._made_rows = self._made_rows, 0
        return made > 0

    async def _pass(self, target: Target) -> bool:
        """Once over all that is due, by record; whether anything came of it.

        All batches come to their end before what one of them was told is obeyed.
        """
        after: UUID | None = None
        progressed = False
        async with Lanes(self._batches_at_once()) as lanes:
            while not self._stops and (due := await self._due(after)):
                after = due[-1].record
                rows = [row for row in due if row.record not in self._busy]
                made = await self._planned(rows, target)
                progressed = progressed or bool(made.items or made.settled)
                await self._send_all(made.items, lanes)
            await lanes.drain()
        await self._end_suspicion()
        return progressed

    def _batches_at_once(self) -> int:
        return self.width.at_once(self.parallel_hint)

    async def _due(self, after: UUID | None) -> list[DueRow]:
        """The next of what is due: enough for all lanes, as far as that is held in memory."""
        rows = min(self.size.now * self._batches_at_once(), _READ_AT_ONCE)
        async with self.fence.db.read() as session:
            await self.fence.require_permission(session)
            return await outgoing.due(session, self.connection.id, self.module, after, rows)

    async def _planned(self, due: Sequence[DueRow], target: Target) -> PushPlan:
        """Decided from present values, and written down before anything leaves."""
        found = await self.tenants.read_records(
            self.connection.tenant, self.connection.id, self.module, [row.record for row in due]
        )
        present = {one.id: one for one in found.rows}
        id_ = self.connection.id
        rules = Rules(self._mapping, self.hash_key, target, found.chosen)
        keys = {target.same_key(key_of(one)) for one in found.rows}
        # before the rivals: what ends between the two leaves a key, and wakes who is parked by then
        busy = set[str]().union(*self._busy.values())
        async with self.fence.writing() as session:
            await self.record.begin(session, list(self.connection.modules))
            rivals = await ownership.rivals(session, id_, self.module, sorted(keys))
            now = clock.now()
            made = plan(due, present, rivals, rules, now, busy)
            self.has_refused |= made.has_refused
            await self._books.begin(session, due, made.settled, made.items, now)
        return made

    async def _send_all(self, items: Sequence[Item], lanes: Lanes) -> None:
        """Give the lanes batch after batch; none any more once one was told to stop."""
        if not items:
            return
        if refusal := await self.crm.refusal():
            self._stops.append(refusal)
        for item in items:
            self._busy[item.record] = item.keys
        unsent = list[Item]()
        for batch in cut(items, self.size):
            if self._stops:
                unsent += batch
                continue
            await lanes.give(self._send_batch(batch))
            lanes.most = self._batches_at_once()
        await self._books.recall(unsent)

    async def _send_batch(self, items: Sequence[Item]) -> None:
        """One batch from its leaving to what is written down of it.

        Where nothing was, another push may have begun: what has left is doubted then.
        """
        try:
            if not await self._is_settled(items):
                await self.fence.doubt([item.intent for item in items])
                await self._books.recall([one for one in items if one.record not in self._unsure])
        finally:
            for item in items:
                self._busy.pop(item.record, None)
                self._unsure.discard(item.record)

    async def _is_settled(self, items: Sequence[Item]) -> bool:
        stops = len(self._stops)
        try:
            await self._require_permission()
            await self._send(items)
        except Overtaken:
            return False
        return len(self._stops) == stops

    async def _send(self, items: Sequence[Item]) -> None:
        """Send the rows, in halves where they are refused as a whole."""
        items = await self._located(items)
        if not items:
            return
        sent = await self.crm.write(self._mapping, [item.write for item in items])
        self.parallel_hint = sent.parallel_hint or self.parallel_hint
        if sent.whole is not None and sent.whole.is_unsure:
            self._unsure |= {item.record for item in items}
        judged = judge(sent, len(items))
        if judged.stop is not None and not await self._are_suspected(items, judged):
            self._stops.append(judged.stop)
            self._go_slower(judged.stop)
        if judged.halve:
            self.size.shrink()
            await self._send_halves(items)
        elif judged.rows:
            await self._settle(items, judged.rows)
            if any(one.meaning is not Meaning.BACK_OFF for one in judged.rows):
                await self._settle_suspects()

    def _go_slower(self, stop: Verdict) -> None:
        """A CRM that failed at a whole batch may fail at one row of it: a few are told apart."""
        if stop.meaning is Meaning.WAIT:
            self.width.narrow()
        elif stop.meaning is Meaning.BACK_OFF:
            self.size.shrink(least=FEW)

    async def _are_suspected(self, items: Sequence[Item], judged: Judgement) -> bool:
        """Whether the rows are set aside, and the others go on: the CRM failed at them, and answers
        what depends on no row. Raises Overtaken."""
        stop = judged.stop
        if stop is None or judged.rows or not self._suspects.may_take(items, stop):
            return False
        if fault := await self._examination.fault():
            self._stops.append(fault)
            return False
        await self.fence.doubt([item.intent for item in items])  # what is said of them comes later
        self._suspects.take(items, stop)
        return True

    async def _end_suspicion(self) -> None:
        """All has been sent: few rows are at fault themselves, at many the CRM does not write."""
        if outage := self._suspects.outage():
            self._stops.append(outage)
        if self._stops:
            suspects = self._suspects.let_go()
            await self._books.recall([one.item for one in suspects if not one.verdict.is_unsure])
        await self._settle_suspects()

    async def _settle_suspects(self) -> None:
        if suspects := self._suspects.let_go():
            verdicts = [failed(one.verdict) for one in suspects]
            await self._settle([one.item for one in suspects], verdicts)

    async def _send_halves(self, items: Sequence[Item]) -> None:
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            await self._require_permission()
            if not self._stops:
                await self._send(half)

    async def _require_permission(self) -> None:
        async with self.fence.db.read() as session:
            await self.fence.require_permission(session)

    async def _located(self, items: Sequence[Item]) -> Sequence[Item]:
        """With the ids that have to be asked for; whose row is not there is settled."""
        found = await locate(self.crm, self._mapping, items, clock.now())
        if isinstance(found, Verdict):
            self._stops.append(found)
            return []
        await self._books.end(found.asked, found.settled)
        await self._books.learn(found.learnt)
        return found.items

    async def _settle(self, items: Sequence[Item], verdicts: Sequence[Verdict]) -> None:
        """Write down what became of the rows; one that the connection has to wait for stays due."""
        verdicts, fault = await self._examination.decided([at_this_row(one) for one in verdicts])
        if fault is not None:
            self._stops.append(fault)
        now = clock.now()
        rows = [
            await self._settler.settlement(item, verdict, now)
            for item, verdict in zip(items, verdicts, strict=True)
            if verdict.meaning not in STOPPING
        ]
        await self._books.end(items, rows)
        self._made_rows += sum(
            item.write.form == "new" and verdict.meaning is Meaning.OK
            for item, verdict in zip(items, verdicts, strict=True)
        )
        if all(verdict.meaning is Meaning.OK for verdict in verdicts):
            self.size.grow(len(items))
            self.width.widen()
