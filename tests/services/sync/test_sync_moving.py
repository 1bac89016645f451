"""A connection that goes to another CRM knows nothing of the rows there."""

from pathlib import Path

from sandbox.dataverse.tokens import Secret
from services.sync.egress import Egress, InjectedName
from services.sync.egress.injected import InjectedResolver, InjectedTrust
from services.sync.egress.resolving import SystemResolver
from services.sync.egress.tls import SystemTrust
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import LIMITS, injected_name, running_sync
from tests.services.sync.simulated_crms import SIMULATORS, SimulatedCrm

OTHER = "fabrikam.crm.example"


async def test_a_connection_that_moves_to_another_crm_makes_its_rows_there(
    sync_url: str, tmp_path: Path, kind: str, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Though what is gone from a CRM is not to be made again: it never was in this one."""
    peer.fill(3)
    async with SIMULATORS[kind](host=OTHER) as other:
        name = InjectedName(OTHER, "127.0.0.1", other.port, other.authority.certificate.decode())
        first = injected_name(simulator)
        egress = Egress(
            resolver=InjectedResolver(name, InjectedResolver(first, SystemResolver())),
            trust=InjectedTrust(name, InjectedTrust(first, SystemTrust())),
            limits=LIMITS,
            unlisted=frozenset({OTHER, first.host}),
        )
        other.simulation.set_secrets(other.client_id, [Secret(simulator.client_secret)])
        there = {
            "environment_url": f"https://{OTHER}",
            "authority_url": f"https://{OTHER}",
            "directory_id": other.directory,
            "client_id": other.client_id,
        }
        async with running_sync(sync_url, tmp_path, simulator, peer, egress=egress) as sync:
            connection = await sync.connect(missing="forget")
            await sync.settled(connection, ok=3)
            answer = await sync.http.patch(f"{sync.path}/{connection}", json=there)
            assert answer.status_code == 200, answer.text
            await eventually(lambda: len(other.records()) == 3)
            await sync.settled(connection, ok=3)
    assert len(simulator.records()) == 3
