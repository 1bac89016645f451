"""A key that is on its way is nobody's to judge, also where its call ends at that very moment."""

from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.util import await_only

from contracts.ids import new_id
from kit.db import Database
from services.sync.egress import Call, CallLedger, Reply
from tests.eventually import eventually
from tests.services.sync.held_egress import HeldEgress
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import LIMITS, injected_name, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

_OWNED = "SELECT count(*) FROM outgoing WHERE crm_key = :key AND same_key = :key"


class HeldRow(HeldEgress):
    """Holds the call that carries a row with this text, and lets others go."""

    text = b""

    async def send(self, call: Call, ledger: CallLedger) -> Reply:
        if self.text in call.body:
            return await super().send(call, ledger)
        return await super(HeldEgress, self).send(call, ledger)


class Rivals:
    """Lets a held call end after it was asked, for the first time, who owns the row with a key."""

    def __init__(self, db: Database, held: HeldRow, key: str, left_for: str) -> None:
        self._db, self._held, self._key, self._left_for = db, held, key, left_for
        self.is_over = False
        event.listen(db._engine.sync_engine, "after_cursor_execute", self._after)

    def _after(self, _connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        values = given.values() if isinstance(given, dict) else given
        asked = [one for one in values if isinstance(one, list) and self._key in one]
        is_meant = "crm_key = ANY" in statement and asked
        if is_meant and not self.is_over and self._held.held.is_set():
            self.is_over = True
            await_only(self._let_end())

    async def _let_end(self) -> None:
        self._held.let_go.set()
        for _ in range(3):  # the last looks are for whoever has to hear of the commit
            await eventually(self._has_left)

    async def _has_left(self) -> bool:
        async with self._db.read() as session:
            return bool(await session.scalar(text(_OWNED), {"key": self._left_for}))


async def test_a_key_that_is_left_while_it_is_asked_for_is_not_waited_for_in_vain(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Whoever leaves a key wakes who waits for it; who is parked after that waits for an hour."""
    leaves, beside, comes = sorted(new_id() for _ in range(3))
    held = HeldRow.injecting(injected_name(simulator), limits=LIMITS)
    held.text = b"Leaves"
    simulator.switches.dop_hint = 2
    small: dict[str, Any] = {"batch_rows": 1, "parallel_batches": 2, "egress": held}
    async with running_sync(sync_url, tmp_path, simulator, peer, **small) as sync:
        peer.put("A", id_=leaves, name="First")
        peer.put("Z", id_=beside, name="Beside")
        connection = await sync.connect()
        await sync.settled(connection, ok=2)
        await sync.http.post(f"{sync.path}/{connection}/pause")
        peer.put("B", id_=leaves, name="Leaves")
        peer.put("Z", id_=beside, name="Beside it")
        peer.put("A", id_=comes, name="Comes")
        rivals = Rivals(sync.parts.db, held, "a", left_for="b")
        await sync.http.post(f"{sync.path}/{connection}/resume")
        await sync.settled(connection, ok=3)
        assert rivals.is_over
        assert {key: row["name"] for key, row in simulator.by_key().items()} == {
            "A": "Comes",
            "B": "Leaves",
            "Z": "Beside it",
        }
