"""Both sides end equal, nothing twice and nothing unchosen, whatever was done in between.

`make test` plays a hundredth of what `make proof` does (python -m tests.convergence).
"""

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from contracts.ids import TenantId, new_id
from kit import clock
from services.sync.egress import CallLimits, Egress
from tests.convergence.comparison import differences, note_ids
from tests.convergence.our_side import OurSide
from tests.convergence.story import Story
from tests.convergence.their_side import TheirSide
from tests.convergence.trouble import MovedClock, Trouble
from tests.convergence.world import SECRET, Policies, World
from tests.eventually import eventually
from tests.gateway.edge_parts import serving
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import injected_name, running_sync
from tests.services.sync.simulated_crms import HOST, IN_BULK, SIMULATORS
from tests.services.sync.sync_process import SyncProcess, services_of

OPERATIONS = int(os.environ.get("CONVERGENCE", "100"))
SEEDS = [int(one) for one in os.environ.get("CONVERGENCE_SEEDS", "1").split(",")]
BETWEEN = 50  # operations, after which both sides have to be equal once
LIMITS = CallLimits(connect_s=2.0, read_s=1.0, total_s=3.0)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_is_done_on_both_sides_they_end_equal(
    cluster: Any,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    chance, begun, moved = random.Random(seed), time.monotonic(), MovedClock()
    monkeypatch.setattr(clock, "now", moved.now)
    url, services, in_bulk = await cluster.fresh("sync"), free_port(), chance.random() < 0.5
    simulators = IN_BULK if in_bulk else SIMULATORS
    peer = PeerTenants(TenantId(new_id()))
    async with simulators["dataverse"](host=HOST) as crm, serving(services_of(peer), services):
        egress = Egress.injecting(injected_name(crm), limits=LIMITS)
        async with running_sync(url, tmp_path, crm, peer, egress=egress) as sync:
            world = World(sync, chance, Policies.drawn(chance))
            process = SyncProcess(sync, f"http://127.0.0.1:{services}", free_port)
            trouble = Trouble(world, moved, process)
            story = Story(world, OurSide(world), TheirSide(world, in_bulk=in_bulk), trouble)
            try:
                await play(world, story, seed)
            finally:
                process.kill()
            nothing_unchosen(world)
            await ledger_has_all(world)
    await cluster.drop(url)
    took = f"{OPERATIONS} operations, {trouble.calls} calls, {time.monotonic() - begun:.0f} s"
    sys.stdout.write(f"\nseed {seed}, {world.policies}, {in_bulk=}: {took}")
    sys.stdout.write(f"; {dict(sorted(trouble.counted.items()))}\n")


async def play(world: World, story: Story, seed: int) -> None:
    world.connection = await world.sync.connect(modules=world.mappings)
    await settle(world, story, seed)
    for number in range(1, OPERATIONS + 1):
        await story.play()
        if number % BETWEEN == 0:
            await settle(world, story, seed)


async def settle(world: World, story: Story, seed: int) -> None:
    """Equal once is enough: nothing happens on either side meanwhile."""
    await story.heal()
    latest = [0.0]

    async def is_equal() -> bool:
        if time.monotonic() > latest[0] + 0.5:
            latest[0] = time.monotonic()
            await world.let_time_pass()
        return not await differences(world)

    try:
        await eventually(is_equal, 30.0)
    except AssertionError:
        found = await differences(world)
        keys = {line.partition(":")[0] for line in found[:5]}
        told = [f"seed {seed}, {world.policies}", *found[:20], "", *story.of_keys(keys)]
        raise AssertionError("\n".join(told)) from None
    await note_ids(world)


def nothing_unchosen(world: World) -> None:
    sent = [request for request in world.crm.requests() if SECRET.encode() in request.body]
    assert not sent, "what is not chosen never leaves"


async def ledger_has_all(world: World) -> None:
    """Each call that arrived was written down before it left; one that was answered to us arrived.

    Where replies were lost and processes killed, the ledger may have calls that did not arrive.
    """
    sums = world.crm.counters().values()
    arrived = (sum(one["calls"] for one in sums), sum(one["request_bytes"] for one in sums))
    query = text("SELECT status, request_bytes FROM ledger")
    async with world.sync.parts.db.read() as session:
        lines = await session.all(query)
    told = [line["request_bytes"] for line in lines if line["status"] is not None]
    ledger = (len(lines), sum(line["request_bytes"] for line in lines))
    assert len(told) <= arrived[0] <= ledger[0]
    assert sum(told) <= arrived[1] <= ledger[1]
