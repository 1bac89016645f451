"""A push has a trace of its own, with a link to the story that woke it last; sweeps leave none."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from contracts.events import JournalAdvanced
from contracts.ids import ConnectionId
from kit import telemetry
from tests.eventually import eventually
from tests.otlp_collector import Collected, Collector
from tests.recorded import recorded
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import HOST, SimulatedCrm

TOPIC = JournalAdvanced.topic


@pytest.fixture
async def woken(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> AsyncIterator[Sync]:
    """A sync that pushes when it is told to, and at no other time."""
    async with running_sync(sync_url, tmp_path, simulator, peer, sweep_s=3600) as running:
        yield running


async def write(sync: Sync, connection: str, rows: int) -> str:
    """More rows at the peer, told within a trace; returns the trace when they have arrived."""
    with telemetry.trace("write"):
        trace = telemetry.trace_id()
        sync.peer.fill(rows)
        await sync.tell(JournalAdvanced(tenant=sync.tenant))
    await sync.settled(connection, ok=rows)
    return trace


def pushes(collector: Collector, trace: str) -> list[Collected]:
    """Those that point there."""
    found = collector.named("push")
    return [one for one in found if [link.trace for link in one.links] == [trace]]


async def test_the_push_points_to_the_last_trace_of_its_tenant(woken: Sync) -> None:
    woken.peer.fill(1)
    connection = await woken.connect()
    await woken.settled(connection, ok=1)
    with recorded() as collector:
        first, second = [await write(woken, connection, rows) for rows in (3, 6)]
        await eventually(lambda: pushes(collector, second))
    for trace, sent in ((first, 2), (second, 3)):
        (processed,) = [one for one in collector.of(trace) if one.name == f"process {TOPIC}"]
        assert processed.kind == "consumer"
        (push,) = pushes(collector, trace)
        assert push.parent == ""
        assert push.links[0].span in {one.id for one in collector.of(trace)}
        assert push.attributes["bulkhead.rows"] == sent
        assert "call to a CRM" in {one.name for one in collector.of(push.trace)}


async def test_of_two_stories_before_a_push_it_points_to_the_later_one(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=3600, settle_s=0.5
    ) as sync:
        connection = await sync.connect()
        with recorded() as collector:
            for name in ("first", "second"):
                with telemetry.trace(name):
                    await sync.tell(JournalAdvanced(tenant=sync.tenant))
                await eventually(lambda one=name: collector.named(one))
            sync.peer.fill(1)
            await sync.settled(connection, ok=1)
            await eventually(lambda: collector.named("push"))
    assert [link.trace for link in collector.one("push").links] == [collector.one("second").trace]


async def test_what_only_a_sweep_has_found_is_not_kept_also_after_what_was(sync: Sync) -> None:
    connection = await sync.connect()
    with recorded() as collector:
        trace = await write(sync, connection, 2)
        await eventually(lambda: pushes(collector, trace))
        for rows in (4, 6):
            sync.peer.fill(rows)
            await sync.settled(connection, ok=rows)
    assert len(pushes(collector, trace)) == 1
    assert all(one.links for one in collector.named("push"))


async def test_a_push_tells_no_value_no_host_and_no_secret(woken: Sync) -> None:
    connection = await woken.connect(name="canary-connection")
    with recorded() as collector:
        trace = await write(woken, connection, 4)
        await eventually(lambda: pushes(collector, trace))
    told = b"".join(collector.raw)
    words = [HOST, woken.simulator.client_secret, woken.simulator.directory, "canary-connection"]
    words += [str(value) for _, body in woken.sent() for value in body.values() if value]
    assert len(words) > 8
    for word in words:
        assert word.encode() not in told, word


async def test_rows_that_are_due_again_do_not_hide_who_has_asked_since(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(sync_url, tmp_path, simulator, peer, sweep_s=3600) as sync:
        connection = ConnectionId(UUID(await sync.connect()))
        pusher = sync.parts.pusher
        with recorded() as collector:
            with telemetry.trace("asked"):
                pusher.wake(sync.tenant, connection, 0.2)
            with telemetry.trace("push of its own"):
                pusher.wake(sync.tenant, connection, 0.1, "due")
            await eventually(lambda: collector.named("push"))
    assert [link.trace for link in collector.one("push").links] == [collector.one("asked").trace]
