"""Bounds: one tenant's slow CRM costs others nothing, and what is stopped sends nothing more."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, new_id
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import add_stranger, is_quiet


def fill(peer: PeerTenants, count: int) -> None:
    for number in range(count):
        peer.put(f"K{number}", name=f"Name {number}")


async def test_a_tenant_whose_crm_hangs_leaves_workers_to_the_others(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Four connections would hang on two workers; the push of another tenant still begins."""
    fill(peer, 1)
    async with running_sync(
        sync_url, tmp_path, simulator, peer, workers=2, sweep_s=600.0, settle_s=600.0
    ) as sync:
        hanging = [UUID(await sync.connect(modules=sync.apart(number))) for number in range(4)]
        simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=60.0, times=None)
        for one in hanging:
            sync.parts.pusher.wake(sync.tenant, ConnectionId(one), 0.0)
        await eventually(lambda: len(simulator.requests(simulator.BATCH)) == 1)
        stranger, connection = await add_stranger(sync)
        sync.parts.pusher.wake(stranger, connection, 0.0)
        await eventually(lambda: stranger in peer.asked_for)
        assert len(simulator.requests(simulator.BATCH)) == 1


async def test_a_push_that_lasts_too_long_rests_longer_each_time(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fill(peer, 1)
    simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=60.0, times=None)
    async with running_sync(sync_url, tmp_path, simulator, peer, push_s=0.5) as sync:
        connection = await sync.connect()

        async def has_rested() -> bool:
            async with sync.parts.db.read() as session:
                row = await connections.get(session, ConnectionId(UUID(connection)))
            assert row is not None
            return row.failures >= 3 and row.retry_at is not None

        await eventually(has_rested)
        body = await sync.get(f"/{connection}")
        assert body["reason"] == "sending took too long; it goes on after a pause"
        assert body["state"] == "active"


async def test_a_paused_connection_ends_its_running_push(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fill(peer, 60)
    simulator.switches.latency_s, simulator.switches.dop_hint = 0.1, 1
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=1) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(sync.batches()) >= 2)
        answer = await sync.http.post(f"{sync.path}/{connection}/pause")
        assert answer.status_code == 204
        sent = len(sync.batches())
        await eventually(lambda: is_quiet(sync))
        assert len(sync.batches()) <= sent + 1  # one may have been on its way
        await sync.http.post(f"{sync.path}/{connection}/resume")
        await sync.settled(connection, 60.0, ok=60)
    assert len(sync.sent()) == 60


async def test_a_suspended_tenant_ends_its_running_push(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fill(peer, 60)
    simulator.switches.latency_s, simulator.switches.dop_hint = 0.1, 1
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=1) as sync:
        await sync.connect()
        await eventually(lambda: len(sync.batches()) >= 2)
        peer.state = "suspended"
        await sync.parts.pusher.sweep()
        sent = len(sync.batches())
        await eventually(lambda: is_quiet(sync))
        assert len(sync.batches()) <= sent + 1


async def test_what_is_withdrawn_while_a_push_runs_does_not_leave_any_more(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fill(peer, 30)
    simulator.switches.latency_s, simulator.switches.dop_hint = 0.1, 1
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=1) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(sync.batches()) >= 2)
        peer.choice = {"organisation": ["sector"]}
        left = len(sync.batches()) + 2  # one is on its way, one was read while it was

        async def is_settled() -> bool:
            found = (await sync.get(f"/{connection}"))["outcomes"]
            return bool(found.keys() == {"ok", "empty"} and sum(found.values()) == 30)

        await eventually(is_settled)
        assert len(sync.batches()) <= left < 30


async def test_a_tenant_has_a_limited_number_of_connections(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(sync_url, tmp_path, simulator, peer, connections_most=2) as sync:
        first = await sync.connect()
        answers = await asyncio.gather(
            *(
                sync.http.post(sync.path, json=sync.wanted(modules=sync.apart(number)))
                for number in range(1, 5)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        refused = next(answer for answer in answers if answer.status_code == 409).json()
        assert refused["type"] == "/problems/connections-too-many"
        assert refused["detail"] == "a tenant has at most 2"
        calls = len(simulator.requests())
        assert (await sync.http.post(sync.path, json=sync.wanted())).status_code == 409
        assert len(simulator.requests()) == calls
        await sync.http.delete(f"{sync.path}/{first}")
        await sync.connect()


async def test_two_connections_at_once_are_counted_one_after_the_other(sync: Sync) -> None:
    await sync.connect()
    db = sync.parts.db
    async with db.read() as session:
        row = (await connections.of_tenant(session, sync.tenant))[0]

    async def add() -> None:
        async with db.write() as session:
            await connections.add(session, replace(row, id=ConnectionId(new_id())), 2)

    async with db.write() as first:
        await connections.add(first, replace(row, id=ConnectionId(new_id())), 2)
        second = asyncio.create_task(add())

        async def waits_or_has_ended() -> bool:
            query = text(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            async with db.read() as session:
                return bool(await session.scalar(query)) or second.done()

        await eventually(waits_or_has_ended)
    with pytest.raises(connections.TooMany):
        await second


async def test_batches_go_out_together_as_the_crm_recommends_and_no_key_twice(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    fill(peer, 90)
    simulator.switches.latency_s, simulator.switches.dop_hint = 0.2, 3
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=10) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=90)
        calls = (await sync.get(f"/{connection}/ledger"))["calls"]
    batches = [call for call in calls if call["operation"] == "upsert-batch"]
    assert len(batches) == 9
    assert len(sync.sent()) == len({url for url, _ in sync.sent()}) == 90
    begins = [datetime.fromisoformat(call["at"]) for call in batches]
    ends = [
        begin + timedelta(milliseconds=call["duration_ms"])
        for begin, call in zip(begins, batches, strict=True)
    ]
    spans = list(zip(begins, ends, strict=True))
    assert max(sum(b <= moment < e for b, e in spans) for moment in begins) == 3


async def test_a_wait_that_one_batch_was_told_outlives_the_success_of_the_others(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    simulator.switches.dop_hint = 4
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=5) as sync:
        peer.put("FIRST", name="tells the hint")
        connection = await sync.connect()
        await sync.settled(connection, ok=1)
        simulator.add_fault(
            kind="status", path=simulator.BATCH, status=429, retry_after_s=2, body="json"
        )
        fill(peer, 20)

        async def is_held_and_the_others_are_settled() -> bool:
            body = await sync.get(f"/{connection}")
            return bool(body["retry_at"]) and body["outcomes"] == {"ok": 16, "pending": 5}

        await eventually(is_held_and_the_others_are_settled)
        await sync.settled(connection, ok=21)
    assert simulator.throttle.early == []


async def test_a_push_that_is_cut_goes_on_at_once_while_the_crm_takes_rows(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """No clock would wake it within this test: the sweep is far away, and nothing holds it."""
    fill(peer, 120)
    simulator.switches.latency_s, simulator.switches.dop_hint = 0.1, 1
    given: dict[str, Any] = {"push_s": 4.0, "quick_s": 3.9, "sweep_s": 600.0, "batch_rows": 2}
    async with running_sync(sync_url, tmp_path, simulator, peer, **given) as sync:
        connection = await sync.connect()
        await sync.settled(connection, 60.0, ok=120)
        body = await sync.get(f"/{connection}")
        assert (body["retry_at"], body["reason"]) == (None, "")
        runs = (await sync.get(f"/{connection}/runs"))["runs"]
    assert len(sync.sent()) <= 120 + 2 * len(runs)  # what was on its way when it was cut goes again
    assert "cut" in {run["state"] for run in runs}
