"""A connection that goes to another CRM knows nothing of the rows there, nor of anything else that
the one of before has told."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sandbox.dataverse.tokens import Secret
from services.sync.egress import Egress, InjectedName
from services.sync.egress.injected import InjectedResolver, InjectedTrust
from services.sync.egress.resolving import SystemResolver
from services.sync.egress.tls import SystemTrust
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import LIMITS, Sync, injected_name, running_sync
from tests.services.sync.simulated_crms import SIMULATORS, SimulatedCrm
from tests.services.sync.typed_crm import alter

OTHER = "fabrikam.crm.example"


@dataclass
class Move:
    """A sync that reaches two CRMs, with a connection to the first."""

    sync: Sync
    other: SimulatedCrm

    @property
    def there(self) -> dict[str, str]:
        return {
            "environment_url": f"https://{OTHER}",
            "authority_url": f"https://{OTHER}",
            "directory_id": self.other.directory,
            "client_id": self.other.client_id,
        }

    async def to_the_other(self, connection: str, **more: Any) -> int:
        path = f"{self.sync.path}/{connection}"
        return (await self.sync.http.patch(path, json=self.there | more)).status_code


@pytest.fixture
async def move(
    sync_url: str, tmp_path: Path, kind: str, simulator: SimulatedCrm, peer: PeerTenants
) -> AsyncIterator[Move]:
    async with contextlib.AsyncExitStack() as stack:
        other = await stack.enter_async_context(SIMULATORS[kind](host=OTHER))
        name = InjectedName(OTHER, "127.0.0.1", other.port, other.authority.certificate.decode())
        first = injected_name(simulator)
        egress = Egress(
            resolver=InjectedResolver(name, InjectedResolver(first, SystemResolver())),
            trust=InjectedTrust(name, InjectedTrust(first, SystemTrust())),
            limits=LIMITS,
            unlisted=frozenset({OTHER, first.host}),
        )
        other.simulation.set_secrets(other.client_id, [Secret(simulator.client_secret)])
        running = running_sync(sync_url, tmp_path, simulator, peer, egress=egress)
        yield Move(await stack.enter_async_context(running), other)


async def test_a_connection_that_moves_to_another_crm_makes_its_rows_there(move: Move) -> None:
    """Though what is gone from a CRM is not to be made again: it never was in this one."""
    sync = move.sync
    sync.peer.fill(3)
    connection = await sync.connect(missing="forget")
    await sync.settled(connection, ok=3)
    assert await move.to_the_other(connection) == 200
    await eventually(lambda: len(move.other.records()) == 3)
    await sync.settled(connection, ok=3)
    assert len(sync.simulator.records()) == 3


async def test_what_differs_between_two_crms_is_no_change_of_either(move: Move) -> None:
    """Its tables were never those of the other one."""
    sync = move.sync
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    alter(move.other, "accounts", name={"max_length": 20})
    assert await move.to_the_other(connection) == 200
    await eventually(lambda: len(move.other.records()) == 1)
    await sync.settled(connection, ok=1)
    shown = await sync.get(f"/{connection}")
    assert (shown["schema_changed_at"], shown["schema_changes"]) == (None, [])
    assert move.other.requests("sdkmessagefilters")  # what its tables can, it has told itself


async def test_a_move_that_was_refused_leaves_nothing_of_the_other_crm_behind(move: Move) -> None:
    """Its first table was described before the second one was missed there."""
    sync = move.sync
    city = {"key_attribute": sync.simulator.another_key(1), "fields": {"city": "address1_city"}}
    second = {"organisation_again": {**sync.simulator.MAPPING, **city}}  # looked at later
    modules = {"organisation": sync.simulator.MAPPING, **second}
    connection = await sync.connect(modules=modules)
    alter(move.other, "accounts", name={"max_length": 3}, address1_city=None)
    assert await move.to_the_other(connection) == 422
    sync.peer.put("A", name="longer than three")
    await sync.settled(connection, ok=1)
    assert (await sync.get(f"/{connection}"))["schema_changes"] == []


async def test_a_wait_that_one_crm_has_asked_for_holds_for_no_other(move: Move) -> None:
    sync = move.sync
    connection = await sync.connect()
    async with sync.parts.db.write() as session:
        held = "UPDATE connection SET retry_at = now() + interval '1 day', parallel_hint = 9"
        await session.run(text(held + ", reason = 'the CRM asks to wait'"))
    sync.peer.fill(1)
    assert await move.to_the_other(connection) == 200
    await eventually(lambda: len(move.other.records()) == 1)
    shown = await sync.get(f"/{connection}")
    assert (shown["retry_at"], shown["reason"]) == (None, "")


async def test_a_wait_is_kept_where_the_crm_stays_the_same(sync: Sync) -> None:
    connection = await sync.connect()
    async with sync.parts.db.write() as session:
        held = "UPDATE connection SET retry_at = now() + interval '1 day', parallel_hint = 9"
        await session.run(text(held))
    answer = await sync.http.patch(f"{sync.path}/{connection}", json={"missing": "park"})
    assert answer.json()["retry_at"] is not None
