"""A call whose end is unknown may land late: its rows are sent once more, later and whole."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet

LONG_AGO = "UPDATE outgoing SET doubted_at = doubted_at - interval '1 hour'"
DOUBTED = "SELECT count(*) FROM outgoing WHERE doubted_at IS NOT NULL"


async def doubted(sync: Sync) -> int:
    async with sync.parts.db.read() as session:
        return int(await session.scalar(text(DOUBTED)))


async def let_time_pass(sync: Sync) -> None:
    """What may come late has come, or never will."""
    async with sync.parts.db.write() as session:
        await session.run(text(LONG_AGO))


def names(sync: Sync) -> list[str]:
    return sorted(row["name"] for row in sync.simulator.records())


async def test_an_old_value_that_lands_late_does_not_stay(sync: Sync) -> None:
    sync.peer.put("ONE", name="First", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.simulator.add_fault(kind="apply_late", path=sync.simulator.BATCH, text="Old")
    sync.peer.put("ONE", name="Old")
    await eventually(lambda: sync.simulator.simulation.late)
    sync.peer.put("ONE", name="New")
    await eventually(lambda: names(sync) == ["New"])
    await sync.settled(connection, ok=1)
    await sync.simulator.simulation.apply_late()
    assert names(sync) == ["Old"]
    await let_time_pass(sync)
    await eventually(lambda: names(sync) == ["New"])
    await sync.settled(connection, ok=1)
    assert sync.simulator.records()[0][sync.simulator.SECTOR] == "Energy"
    assert await doubted(sync) == 0


async def test_a_row_in_doubt_is_looked_at_when_its_time_has_come_and_once(sync: Sync) -> None:
    sync.simulator.add_fault(kind="lost_reply", path=sync.simulator.BATCH)
    sync.peer.put("ONE", name="A")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.peer.put("TWO", name="B")
    await sync.settled(connection, ok=2)
    assert (len(sync.sent()), await doubted(sync)) == (3, 1)
    await let_time_pass(sync)
    await eventually(lambda: len(sync.sent()) == 4)
    sync.peer.put("THREE", name="C")
    await sync.settled(connection, ok=3)
    await eventually(lambda: is_quiet(sync))
    assert (len(sync.sent()), await doubted(sync)) == (5, 0)


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "status", "status": 429, "body": "json", "retry_after": "0"},
        {"kind": "status", "status": 413, "body": "json"},
        {"kind": "status", "status": 500, "body": "json", "code": "0x80040216"},
        {"kind": "part", "status": 400, "body": "json", "code": "0x80040265", "path": "accounts"},
    ],
)
async def test_what_the_crm_has_answered_itself_leaves_no_doubt(
    sync: Sync, answer: dict[str, Any]
) -> None:
    sync.simulator.add_fault(**{"path": sync.simulator.BATCH, "times": 1} | answer)
    sync.peer.fill(6)
    connection = await sync.connect()

    async def is_settled() -> bool:
        found = (await sync.get(f"/{connection}"))["outcomes"]
        return bool(sum(found.get(state, 0) for state in ("ok", "parked")) == 6)

    await eventually(is_settled)
    await eventually(lambda: is_quiet(sync))
    assert await doubted(sync) == 0


async def test_rows_that_were_planned_and_did_not_leave_are_not_in_doubt(sync: Sync) -> None:
    connection = await sync.connect()
    await eventually(lambda: is_quiet(sync))
    sync.simulator.add_fault(kind="status", path=sync.simulator.SIGN_IN, status=503)
    sync.peer.fill(3)
    await sync.settled(connection, ok=3)
    assert (await sync.get(f"/{connection}/runs"))["runs"][-1]["state"] == "stopped"
    assert await doubted(sync) == 0


async def test_who_takes_over_a_row_takes_over_what_may_land_on_it(sync: Sync) -> None:
    record = sync.peer.put("ONE", name="First")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.simulator.add_fault(kind="apply_late", path=sync.simulator.BATCH, text="Old")
    sync.peer.put("ONE", name="Old")
    await eventually(lambda: sync.simulator.simulation.late)
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    sync.peer.put("ONE", name="Heir")
    await sync.settled(connection, ok=1, removed=1)
    await sync.simulator.simulation.apply_late()
    assert names(sync) == ["Old"]
    await let_time_pass(sync)
    await eventually(lambda: names(sync) == ["Heir"])


async def test_what_a_process_that_ended_has_left_behind_is_in_doubt(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    simulator.add_fault(kind="hang", path=simulator.BATCH)
    peer.put("ONE", name="A")
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        connection = await sync.connect()
        await eventually(lambda: simulator.requests(simulator.BATCH))
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        await sync.settled(connection, ok=1)
        assert await doubted(sync) == 1
