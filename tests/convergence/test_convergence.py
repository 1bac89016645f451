"""Both sides end equal, nothing twice and nothing unchosen, whatever was done in between."""

import os
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import TenantId, new_id
from tests.convergence.comparison import differences
from tests.convergence.operations import FIELDS, Story
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import HOST, SIMULATORS

OPERATIONS = int(os.environ.get("BULKHEAD_CONVERGENCE", "100"))
BETWEEN = 25  # operations, after which both sides have to be equal once


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_done_here_the_crm_ends_equal(
    cluster: Any, tmp_path: Path, seed: int
) -> None:
    url = await cluster.fresh("sync")
    async with SIMULATORS["dataverse"](host=HOST) as simulator:
        peer = PeerTenants(TenantId(new_id()))
        peer.choice = {"organisation": list(FIELDS)}
        async with running_sync(url, tmp_path, simulator, peer) as sync:
            await converge(sync, seed)
    await cluster.drop(url)


async def converge(sync: Sync, seed: int) -> None:
    mapping = sync.simulator.MAPPING | {"deletions": "delete", "withdrawn": "clear"}
    connection = await sync.connect(modules={"organisation": mapping})
    story, calm = Story(sync, connection, seed), 0
    for number in range(1, OPERATIONS + 1):
        await story.play()
        if number % BETWEEN == 0:
            await story.end()
            await settle(sync, connection, story)
            calm += 1
    assert calm == OPERATIONS // BETWEEN
    text = "".join(str(body) for _, body in sync.sent())
    assert "SECRET" not in text, "what is not chosen never leaves"


async def settle(sync: Sync, connection: str, story: Story) -> None:
    """Equal once is enough: nothing happens on our side meanwhile."""

    async def is_equal() -> bool:
        return not await differences(sync, connection)

    try:
        await eventually(is_equal, 60.0)
    except AssertionError:
        found = "\n".join([*(await differences(sync, connection))[:20], "", *story.told[-40:]])
        raise AssertionError(found) from None
