"""Walls of time: however many CRMs hang, the push of a quiet tenant begins."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId
from services.sync.credential import Offered
from services.sync.crm import connection_of
from services.sync.egress import CallLimits, Egress, InjectedName
from services.sync.environments import Environments
from services.sync.ledger import Ledger
from services.sync.probes import Probes
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import HOST, SimulatedCrm
from tests.services.sync.strangers import add_neighbour, add_stranger, is_quiet


def patient(simulator: SimulatedCrm) -> Egress:
    """A guard that waits for a hanging CRM longer than any of these tests lasts."""
    name = InjectedName(HOST, "127.0.0.1", simulator.port, simulator.authority.certificate.decode())
    return Egress.injecting(name, limits=CallLimits(read_s=200.0, total_s=200.0))


def push(sync: Sync, *which: tuple[TenantId, ConnectionId]) -> None:
    for tenant, connection in which:
        sync.parts.pusher.wake(tenant, connection, 0.0)


async def test_hanging_crms_of_several_tenants_leave_workers_to_a_quiet_one(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Four tenants with two connections each would hold all four workers for ever."""
    peer.put("ONE", name="A")
    given = {"workers": 4, "sweep_s": 600.0, "settle_s": 600.0, "quick_s": 1.0}
    egress = patient(simulator)
    async with running_sync(sync_url, tmp_path, simulator, peer, egress=egress, **given) as sync:
        await sync.connect()
        simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=100.0, times=None)
        hanging = [await add_neighbour(sync) for _ in range(4)]
        hanging += [await add_neighbour(sync, tenant) for tenant, _ in hanging]
        push(sync, *hanging)
        # Each of them is tried, found slow, and at most two of them stay.
        await eventually(lambda: {tenant for tenant, _ in hanging} <= peer.asked_for)
        await eventually(lambda: len(simulator.requests(simulator.BATCH)) == len(hanging))
        for _ in range(3):
            push(sync, *hanging)
            quiet = await add_stranger(sync)
            push(sync, quiet)
            await eventually(lambda quiet=quiet: quiet[0] in peer.asked_for)
        assert len(simulator.requests(simulator.BATCH)) == len(hanging)


async def test_what_makes_way_goes_on_in_its_turn(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(3)
    given: dict[str, Any] = {"workers": 2, "sweep_s": 600.0, "settle_s": 600.0, "quick_s": 0.3}
    async with running_sync(sync_url, tmp_path, simulator, peer, **given) as sync:
        await sync.connect()
        slow = [await add_neighbour(sync) for _ in range(4)]
        simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=1.0, times=None)
        push(sync, *slow)

        async def have_pushed() -> bool:
            async with sync.parts.db.read() as session:
                rows = [await connections.get(session, one) for _, one in slow]
            return all(row and row.pushed_at for row in rows)

        await eventually(have_pushed)


@pytest.mark.parametrize("sends", [True, False])
async def test_a_slow_connection_is_quick_again_once_its_crm_has_taken_something_in_time(
    sends: bool,
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
) -> None:
    """A push with nothing to send says nothing about the CRM."""
    peer.put("ONE", name="A")
    given = {"workers": 2, "sweep_s": 600.0, "settle_s": 600.0, "quick_s": 1.0}
    egress = patient(simulator)
    async with running_sync(sync_url, tmp_path, simulator, peer, egress=egress, **given) as sync:
        await sync.connect()
        slow, hanging = await add_neighbour(sync), await add_neighbour(sync)

        async def has_pushed(which: tuple[TenantId, ConnectionId]) -> None:
            peer.asked_for.clear()
            push(sync, which)
            await eventually(lambda: which[0] in peer.asked_for)
            await eventually(lambda: is_quiet(sync))

        simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=2.0, times=2)
        await has_pushed(hanging)
        await has_pushed(slow)
        if sends:
            peer.put("ONE", name="B")
        await has_pushed(slow)

        simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=100.0, times=None)
        peer.put("ONE", name="C")
        before = len(simulator.requests(simulator.BATCH))
        push(sync, hanging)
        await eventually(lambda: len(simulator.requests(simulator.BATCH)) > before)
        peer.asked_for.clear()
        quiet = await add_stranger(sync)
        push(sync, slow, quiet)
        await eventually(lambda: quiet[0] in peer.asked_for)
        assert (slow[0] in peer.asked_for) == sends


async def test_a_sweep_over_many_tenants_keeps_nobody_waiting(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Its wakes come one after the other, so that a change in between has its turn at once."""
    async with running_sync(sync_url, tmp_path, simulator, peer, sweep_s=600.0) as sync:
        await sync.connect()
        many = [(await add_neighbour(sync))[0] for _ in range(60)]
        quiet = await add_neighbour(sync)
        peer.asked_for.clear()
        await sync.parts.pusher.sweep()
        push(sync, quiet)
        await eventually(lambda: quiet[0] in peer.asked_for)
        assert len(peer.asked_for & set(many)) < 30
        await eventually(lambda: set(many) <= peer.asked_for)


async def test_a_tenant_looks_at_few_crms_at_once_and_holds_up_no_other(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    egress = patient(simulator)
    async with running_sync(sync_url, tmp_path, simulator, peer, egress=egress) as sync:
        path = f"{sync.path}/{await sync.connect()}"
        other, connection = await add_neighbour(sync)
        simulator.add_fault(kind="slow", path=simulator.LOOK, seconds=100.0, times=None)
        looked = len(simulator.requests(simulator.LOOK))
        looks = [asyncio.create_task(sync.http.post(f"{path}/test")) for _ in range(4)]
        await eventually(lambda: len(simulator.requests(simulator.LOOK)) == looked + 4)
        for refused in (
            await sync.http.post(f"{path}/test"),
            await sync.http.post(sync.path, json=sync.wanted(modules=sync.apart(1))),
            await sync.http.put(f"{path}/credentials", json={"client_secret": "another"}),
        ):
            assert refused.status_code == 429
            assert refused.json()["type"] == "/problems/too-many-requests"
            assert refused.headers["retry-after"]
        assert len(simulator.requests(simulator.LOOK)) == looked + 4
        async with sync.parts.db.read() as session:
            kept = await session.scalar(text("SELECT count(*) FROM credential WHERE slot = 'next'"))
        assert kept == 0
        async with sync.as_user(other) as neighbour:
            address = f"/t/{other}/v1/connections/{connection}/test"
            looks.append(asyncio.create_task(neighbour.post(address)))
            await eventually(lambda: len(simulator.requests(simulator.LOOK)) == looked + 5)
        simulator.simulation.organisation.faults.clear()
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        assert (await sync.http.post(f"{path}/test")).json()["ok"]


async def test_a_look_at_a_crm_has_its_end(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        await sync.connect()
        async with sync.parts.db.read() as session:
            row = (await connections.of_tenant(session, sync.tenant))[0]
        simulator.add_fault(kind="slow", path=simulator.LOOK, seconds=100.0, times=None)
        environments = Environments(
            sync.parts.db, sync.parts.keyring, patient(simulator), Ledger(sync.parts.db)
        )
        probes = Probes(environments, longest_s=0.5)
        found = await probes.look(connection_of(row), Offered.secret(simulator.client_secret))
    assert found.failed is not None
    assert found.failed.reason == "the CRM took too long to answer all questions"
