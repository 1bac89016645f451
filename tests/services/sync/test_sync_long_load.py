"""A first load that is killed again and again goes on where it was, in the memory of a small one.

`make test` loads a fiftieth of what `make proof` does (python -m tests.long_load).
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from contracts.ids import new_id
from tests.eventually import eventually
from tests.gateway.edge_parts import serving
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, User, running_sync
from tests.services.sync.simulated_crms import HOST, IN_BULK, SimulatedCrm
from tests.services.sync.sync_process import SyncProcess, services_of

ROWS = int(os.environ.get("ROWS", "2000"))
FIRST = 1000  # rows, in whose memory all others have to be sent
KILLS = 3
DEADLINE_S = 60 + ROWS / 200


@pytest.fixture
async def simulator(kind: str) -> AsyncIterator[SimulatedCrm]:
    async with IN_BULK[kind](host=HOST) as running:
        yield running


@dataclass
class Load:
    """A connection that only processes push, one after the other."""

    sync: Sync
    connection: str
    process: SyncProcess
    peaks_kib: list[int] = field(default_factory=list)

    def put(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.sync.peer.put(f"K{number}", id_=new_id(), name=f"Name {number}", sector="Energy")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A process until the end of the block, and its peak of memory."""
        base, user = await self.process.start(), User(self.sync.tenant)
        try:
            async with httpx2.AsyncClient(
                base_url=base, auth=user, trust_env=False, timeout=30.0
            ) as http:
                yield http
            self.peaks_kib.append(self.process.peak_kib())
        finally:
            self.process.kill()

    async def arrives(self, http: httpx2.AsyncClient, rows: int) -> int:
        """At least so many have settled; how many."""
        found = 0

        async def is_settled() -> bool:
            nonlocal found
            answer = await http.get(f"{self.sync.path}/{self.connection}")
            found = int(answer.json()["outcomes"].get("ok", 0))
            return found >= rows

        await eventually(is_settled, DEADLINE_S)
        return found

    def keys_there(self) -> list[str]:
        there = self.sync.simulator
        return [row[there.KEY] for row in there.records()]


@pytest.fixture
async def load(
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    free_port: Callable[[], int],
) -> AsyncIterator[Load]:
    port = free_port()
    most = min(1000, ROWS // 20)  # rows of a batch
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows_most=most) as sync:
        connection = await sync.connect()
        await sync.settled(connection)
    async with serving(services_of(peer), port):
        process = SyncProcess(sync, f"http://127.0.0.1:{port}", free_port)
        yield Load(sync, connection, process)


async def test_a_first_load_goes_on_across_kills_in_the_memory_of_a_small_one(load: Load) -> None:
    load.put(0, FIRST)
    async with load.running() as http:
        await load.arrives(http, FIRST)
    load.put(FIRST, ROWS)
    for number in range(1, KILLS + 1):
        until = FIRST + (ROWS - FIRST) * number // (KILLS + 1)
        async with load.running() as http:
            assert await load.arrives(http, until) < ROWS  # it is killed on its way
    async with load.running() as http:
        await load.arrives(http, ROWS)
    keys = load.keys_there()
    assert len(keys) == len(set(keys)) == ROWS
    assert max(load.peaks_kib) <= 1.3 * load.peaks_kib[0], load.peaks_kib
    peaks = " ".join(str(peak // 1024) for peak in load.peaks_kib)
    sys.stdout.write(f"{ROWS} rows, {KILLS} kills, peaks of memory in MiB: {peaks}\n")
