"""Sync with a database, a simulator and a peer of its own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from contracts.ids import TenantId, new_id
from services.sync.crm import KINDS
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.rotation import Rotation
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import HOST, SIMULATORS, SimulatedCrm


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Every test that sends runs once for each kind of CRM; each needs a simulator."""
    return str(request.param)


@pytest.fixture
async def simulator(kind: str) -> AsyncIterator[SimulatedCrm]:
    async with SIMULATORS[kind](host=HOST) as running:
        yield running


@pytest.fixture
def peer(simulator: SimulatedCrm) -> PeerTenants:
    """A tenant whose chosen fields are those that the connections map."""
    made = PeerTenants(TenantId(new_id()))
    made.choice = {"organisation": list(simulator.MAPPING["fields"])}
    return made


@pytest.fixture
async def sync_url(service_db: Callable[[str], Awaitable[str]]) -> str:
    return await service_db("sync")


@pytest.fixture
async def sync(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> AsyncIterator[Sync]:
    async with running_sync(sync_url, tmp_path, simulator, peer) as running:
        yield running


@pytest.fixture
async def still(
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Sync]:
    """A sync in which nothing is forgotten by itself."""
    monkeypatch.setattr("services.sync.unlearning.Timer.wake", lambda _timer: None)
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as running:
        yield running


@pytest.fixture
async def rotation(sync: Sync) -> Rotation:
    """A connection that has sent something."""
    made = Rotation(sync, await sync.connect())
    await made.arrives()
    return made
