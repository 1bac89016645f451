"""Rows at which a CRM fails as in an outage are told from one: they wait, and nothing else does."""

from pathlib import Path
from typing import Any

import pytest

from contracts.ids import new_id
from kit import clock
from services.sync.crm import Meaning, RowWrite, Verdict
from services.sync.push.patience import unaccepted
from services.sync.push.plan import Item
from services.sync.push.suspects import Suspects, failed
from services.sync.store.outgoing import DueRow
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import API, Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

CRASH: dict[str, Any] = {"kind": "refuse_row", "status": 500, "code": "0x80040216", "times": None}


def crash_at(simulator: SimulatedCrm, sector: str) -> int:
    """A plug-in crashes at rows of this sector, always."""
    where = {"table": simulator.TABLE, "column": simulator.SECTOR, "value": sector}
    return simulator.add_fault(**CRASH, **where).id


async def is_held(sync: Sync, connection: str) -> bool:
    """Whether it is, or any run was stopped."""
    runs = (await sync.get(f"/{connection}/runs"))["runs"]
    held = (await sync.get(f"/{connection}"))["retry_at"] is not None
    return held or "stopped" in {run["state"] for run in runs}


def test_a_row_before_which_the_crm_always_stops_has_been_tried() -> None:
    """Else it would be sent every second, for ever."""
    suspects, item = Suspects(), Item(DueRow(new_id(), attempts=6), RowWrite("new", "A"), "a")
    suspects.take([item], Verdict(Meaning.BACK_OFF, "the CRM stopped before it", code="not-run"))
    [suspect] = suspects.let_go()
    now, verdict = clock.now(), failed(suspect.verdict)
    tried = unaccepted(suspect.item.row, verdict, now, None, 8, 1.0)
    assert (tried.state, tried.code, tried.attempts) == ("retry", "failed", 7)


async def test_a_single_row_at_which_the_crm_fails_holds_nothing_and_is_parked(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fault = crash_at(simulator, "Crash")
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=3) as sync:
        connection = await sync.connect()
        peer.put("BAD", name="Bad", sector="Crash")
        await sync.settled(connection, parked=1)
        [row] = (await sync.get(f"/{connection}/outcomes"))["outcomes"]
        assert (row["code"], row["attempts"]) == ("failed", 3)
        assert "at this row" in row["reason"]
        assert not await is_held(sync, connection)
        peer.put("GOOD", name="Good", sector="Energy")
        await sync.settled(connection, ok=1, parked=1)
        simulator.simulation.organisation.faults.remove(fault)
        await sync.http.post(f"{sync.path}/{connection}/retry", json={"code": "failed"})
        await sync.settled(connection, ok=2)


def test_who_cannot_sign_in_or_reach_the_crm_suspects_no_row() -> None:
    item = Item(DueRow(new_id()), RowWrite("new", "A"), "a")
    elsewhere = Verdict(Meaning.BACK_OFF, "the host cannot be reached", is_elsewhere=True)
    assert not Suspects().may_take([item], elsewhere)


@pytest.mark.parametrize("failure", ["lost_reply", "status"])
async def test_whatever_the_failure_looks_like_the_row_alone_waits(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants, failure: str
) -> None:
    """A proxy that cannot bear what stands in a row, or a connection that breaks at it."""
    about = {"path": simulator.BATCH, "text": "Unbearable", "times": None}
    simulator.add_fault(kind=failure, status=502, **about)
    peer.put("BAD", name="Unbearable")
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=2) as sync:
        connection = await sync.connect()
        await sync.settled(connection, parked=1)
        assert not await is_held(sync, connection)


async def test_a_crm_that_answers_nothing_else_either_holds_the_connection(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=2) as sync:
        connection = await sync.connect()
        peer.put("ONE", name="A")
        await sync.settled(connection, ok=1)
        simulator.add_fault(kind="status", status=503, path=API, times=9)
        record = peer.put("ONE", name="B")
        await sync.settled(connection, pending=1)
        await sync.settled(connection, ok=1)
        assert await is_held(sync, connection)
        [row] = (await sync.get(f"/{connection}/outcomes?record={record}"))["outcomes"]
        assert row["attempts"] == 0


async def test_rows_at_which_it_fails_keep_nobody_behind_them(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """The first ten, by order, of rows that are sent a few at a time."""
    crash_at(simulator, "Crash")
    for number in range(10):
        peer.put(f"BAD{number}", name="Bad", sector="Crash")
    for number in range(3):
        peer.put(f"GOOD{number}", name="Good", sector="Energy")
    small: dict[str, Any] = {"max_attempts": 3, "batch_rows": 4}
    async with running_sync(sync_url, tmp_path, simulator, peer, **small) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=3, retry=10)


async def test_the_crm_is_asked_once_in_a_push_what_is_at_fault(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """However many rows fail alone."""
    crash_at(simulator, "Crash")
    small: dict[str, Any] = {"max_attempts": 2, "batch_rows": 1}
    async with running_sync(sync_url, tmp_path, simulator, peer, **small) as sync:
        connection = await sync.connect()
        for number in range(4):
            peer.put(f"BAD{number}", name="Bad", sector="Crash")
        await sync.settled(connection, parked=4)
        runs = (await sync.get(f"/{connection}/runs"))["runs"]
        looks = simulator.requests(simulator.TABLE_LOOK)
        assert 1 <= len(looks) <= 2 + len(runs)
