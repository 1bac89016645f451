"""Both sides end equal, nothing twice and nothing unchosen, whatever was done in between.

`make test` plays a hundredth of what `make proof` does (python -m tests.convergence).
"""

import json
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
from tests.convergence.comparison import about, differences, note_ids
from tests.convergence.notices import Notices
from tests.convergence.our_side import OurSide
from tests.convergence.story import Story
from tests.convergence.their_side import TheirSide
from tests.convergence.trouble import MovedClock, Trouble
from tests.convergence.world import SECRET, Policies, World
from tests.eventually import eventually
from tests.gateway.edge_parts import serving
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import injected_name, running_on, settings_for
from tests.services.sync.simulated_crms import HOST, IN_BULK, SIMULATORS
from tests.services.sync.sync_process import SyncProcess, services_of

OPERATIONS = int(os.environ.get("CONVERGENCE", "100"))
SEEDS = [int(one) for one in os.environ.get("CONVERGENCE_SEEDS", "1").split(",")]
HAS_BROKER = bool(os.environ.get("CONVERGENCE_BROKER"))  # a real one, which is killed
BETWEEN = 50  # operations, after which both sides have to be equal once
LIMITS = CallLimits(connect_s=2.0, read_s=1.0, total_s=3.0)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_is_done_on_both_sides_they_end_equal(
    cluster: Any,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    seed: int,
) -> None:
    chance, begun, moved = random.Random(seed), time.monotonic(), MovedClock()
    monkeypatch.setattr(clock, "now", moved.now)
    url, services, in_bulk = await cluster.fresh("sync"), free_port(), chance.random() < 0.5
    simulators = IN_BULK if in_bulk else SIMULATORS
    peer = PeerTenants(TenantId(new_id()))
    notices = Notices(request.getfixturevalue("rabbitmq") if HAS_BROKER else None)
    async with simulators["dataverse"](host=HOST) as crm, serving(services_of(peer), services):
        egress = Egress.injecting(injected_name(crm), limits=LIMITS)
        settings = settings_for(url, tmp_path)
        async with running_on(notices.broker, settings, crm, peer, egress) as sync:
            world = World(sync, chance, Policies.drawn(chance))
            process = SyncProcess(sync, f"http://127.0.0.1:{services}", free_port)
            trouble = Trouble(world, moved, process, notices)
            story = Story(world, OurSide(world), TheirSide(world, in_bulk=in_bulk), trouble)
            try:
                await play(world, story, seed)
                await notices.come_again(sync)
            finally:
                process.kill()
            nothing_unchosen(world)
            await ledger_has_all(world)
            tell(world, story, trouble, time.monotonic() - begun)
    await notices.close()
    await cluster.drop(url)
    sys.stdout.write(f"\nseed {seed}, {world.policies}, {in_bulk=}, {HAS_BROKER=}\n")


def tell(world: World, story: Story, trouble: Trouble, seconds: float) -> None:
    """What was done, in JSON, for whoever adds up several stories."""
    done = {"operations": OPERATIONS, "calls": trouble.calls, "rows": len(world.sync.sent())}
    done |= {"seconds": round(seconds)}
    counted = {"deeds": dict(story.counted), "troubles": dict(trouble.counted)}
    sys.stdout.write(f"told {json.dumps(done | counted)}\n")


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
            await story.end_processes()
            await world.let_time_pass()
        return not await differences(world)

    try:
        await eventually(is_equal, 30.0)
    except AssertionError:
        found = await differences(world)
        keys = {line.partition(":")[0] for line in found[:5]}
        told = [f"seed {seed}, {world.policies}", *found[:20], "", *story.of_keys(keys), ""]
        told += await about(world, keys)
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
