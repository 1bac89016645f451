"""Sending: several batches end before one verdict is obeyed, and the gravest of them is."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from contracts.ids import ConnectionId
from kit import clock
from sandbox.dataverse.tokens import Secret
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet


async def connected(sync: Sync) -> str:
    """A connection whose CRM has recommended two batches at once."""
    sync.simulator.switches.dop_hint = 2
    sync.peer.put("FIRST", name="tells the hint")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    return connection


BAD_GATEWAY = {"status": 502}
FORBIDDEN = {"status": 403, "body": "json"}
BUSY = {"status": 429, "retry_after_s": 1, "body": "json"}
VERY_BUSY = {"status": 429, "retry_after_s": 900, "body": "json"}


@pytest.mark.parametrize(
    ("first", "second", "state", "least_wait_s"),
    [
        (BAD_GATEWAY, FORBIDDEN, "broken", 0),
        (FORBIDDEN, BAD_GATEWAY, "broken", 0),
        (FORBIDDEN, VERY_BUSY, "broken", 0),
        (BAD_GATEWAY, VERY_BUSY, "active", 800),
        (BUSY, VERY_BUSY, "active", 800),
        (VERY_BUSY, BUSY, "active", 800),
    ],
)
async def test_of_several_verdicts_in_one_round_the_gravest_is_obeyed(
    first: dict[str, object],
    second: dict[str, object],
    state: str,
    least_wait_s: float,
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
) -> None:
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=5) as sync:
        connection = await connected(sync)
        await eventually(lambda: is_quiet(sync))
        for fault in (first, second):
            simulator.add_fault(kind="status", path=simulator.BATCH, times=1, **fault)
        await sync.http.post(f"{sync.path}/{connection}/pause")
        peer.fill(10)
        await sync.http.post(f"{sync.path}/{connection}/resume")
        await eventually(lambda: len(sync.batches()) == 3)
        await eventually(lambda: is_quiet(sync))
        body = await sync.get(f"/{connection}")
    assert body["state"] == state
    if least_wait_s:
        until = datetime.fromisoformat(body["retry_at"])
        assert until > clock.now() + timedelta(seconds=least_wait_s)


async def test_a_refused_token_is_heard_of_once_however_many_batches_wait(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """The probe has described the table, and left no token."""
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=5) as sync:
        connection = await sync.connect()
        async with sync.parts.db.write() as session:
            await connections.note_hint(session, ConnectionId(UUID(connection)), 2)
        simulator.simulation.set_secrets(simulator.client_id, [Secret("another")])
        asked = len(simulator.requests(simulator.SIGN_IN))
        peer.fill(10)

        async def is_broken() -> bool:
            return bool((await sync.get(f"/{connection}"))["state"] == "broken")

        await eventually(is_broken)
        await eventually(lambda: is_quiet(sync))
        body = await sync.get(f"/{connection}")
    assert body["reason"] == "the client secret is wrong (AADSTS7000215)"
    assert body["outcomes"] == {"pending": 10}
    assert len(simulator.requests(simulator.SIGN_IN)) == asked + 1
    assert simulator.requests(simulator.BATCH) == []


async def test_a_connection_that_is_paused_while_a_batch_is_refused_sends_no_half_of_it(
    sync: Sync,
) -> None:
    sync.peer.fill(8)
    simulator = sync.simulator
    simulator.add_fault(kind="slow", path=simulator.BATCH, seconds=1.0)
    most, simulator.switches.max_body_bytes = simulator.switches.max_body_bytes, 1000
    connection = await sync.connect()
    await eventually(lambda: len(sync.batches()) == 1)
    assert (await sync.http.post(f"{sync.path}/{connection}/pause")).status_code == 204
    await eventually(lambda: is_quiet(sync))
    assert len(sync.batches()) == 1
    simulator.switches.max_body_bytes = most
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await sync.settled(connection, ok=8)


async def test_a_row_that_no_half_of_a_batch_can_lose_is_parked_alone(sync: Sync) -> None:
    sync.simulator.add_fault(
        kind="status",
        path=sync.simulator.BATCH,
        status=413,
        body="json",
        message="too large",
        times=3,
    )
    sync.peer.fill(2)
    connection = await sync.connect()
    await sync.settled(connection, parked=2)
    parked = (await sync.get(f"/{connection}/outcomes"))["outcomes"]
    assert {one["reason"] for one in parked} == {"the CRM refused the batch (status 413)"}
    assert [len(batch) for batch in sync.batches()] == [2, 1, 1]


async def test_a_row_is_given_up_after_its_attempts_and_says_so(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    raced = {"status": 412, "code": "0x80060892"}
    simulator.add_fault(kind="refuse_row", table=simulator.TABLE, times=None, **raced)
    peer.put("ONE", name="A")
    async with running_sync(sync_url, tmp_path, simulator, peer, max_attempts=3) as sync:
        connection = await sync.connect()
        await sync.settled(connection, parked=1)
        parked = (await sync.get(f"/{connection}/outcomes"))["outcomes"][0]
    assert parked["attempts"] == 3
    assert parked["reason"] == (
        "another writer changed the row at the same time; given up after 3 attempts"
    )
    assert len(sync.batches()) == 3
