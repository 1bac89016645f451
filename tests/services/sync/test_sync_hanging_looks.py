"""However many CRMs accept a connection and say nothing: the looks of the others come in time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Executable, text

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.egress import Egress, InjectedName
from services.sync.egress.injected import InjectedResolver, InjectedTrust
from services.sync.egress.resolving import SystemResolver
from services.sync.egress.tls import SystemTrust
from services.sync.second_looks import SecondLooks
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import LIMITS, Sync, injected_name, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import add_stranger

OTHER = "fabrikam.crm.example"
_BROKEN = text("UPDATE connection SET state = 'broken', look_at = now() WHERE id = :id")
_HANGS = text(
    "UPDATE connection SET state = 'broken', look_at = now() - interval '1 hour',"
    " address = address || CAST(:there AS jsonb) WHERE id = :id"
)
_THERE = f'{{"environment_url": "https://{OTHER}", "authority_url": "https://{OTHER}"}}'


@dataclass
class Hanging:
    """A sync that has to do with CRMs that hang; `woken` are connections that are well again."""

    sync: Sync
    open: set[asyncio.StreamWriter]
    most: list[int]  # that were open at once, one after the other
    woken: list[ConnectionId] = field(default_factory=list)

    def looks(self, quick_s: float) -> SecondLooks:
        parts = self.sync.parts
        return SecondLooks(
            parts.db,
            parts.registry._environments,
            parts.registry._probes,
            lambda _tenant, connection: self.woken.append(connection),
            quick_s=quick_s,
        )

    async def hang(self, tenants: int, each: int = 1) -> None:
        """Broken connections that are due for long, and whose CRM hangs."""
        for _ in range(tenants):
            tenant = TenantId(new_id())
            for _ in range(each):
                _, connection = await add_stranger(self.sync, tenant)
                await self.run(_HANGS, connection, there=_THERE)

    async def heal(self) -> ConnectionId:
        """One that has just become due, and whose CRM is well."""
        _, connection = await add_stranger(self.sync)
        await self.run(_BROKEN, connection)
        return connection

    async def run(self, statement: Executable, connection: ConnectionId, **more: str) -> None:
        async with self.sync.parts.db.write() as session:
            await session.run(statement, {"id": connection, **more})


@pytest.fixture
async def hanging(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> AsyncIterator[Hanging]:
    open_, most = set[asyncio.StreamWriter](), [0]

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        most.append(max(len(open_), most[-1]))
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        open_.discard(writer)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    name = InjectedName(OTHER, "127.0.0.1", port, simulator.authority.certificate.decode())
    first = injected_name(simulator)
    egress = Egress(
        resolver=InjectedResolver(name, InjectedResolver(first, SystemResolver())),
        trust=InjectedTrust(name, InjectedTrust(first, SystemTrust())),
        limits=LIMITS,
        unlisted=frozenset({OTHER, first.host}),
    )
    given = {"sweep_s": 600.0, "settle_s": 600.0}
    async with running_sync(sync_url, tmp_path, simulator, peer, egress=egress, **given) as sync:
        await sync.connect()
        yield Hanging(sync, open_, most)
    server.close()


@contextlib.asynccontextmanager
async def looking(looks: SecondLooks) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(looks.look())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await looks.close()


async def test_a_hundred_crms_that_hang_hold_up_no_look_of_another(hanging: Hanging) -> None:
    await hanging.hang(100)
    well = await hanging.heal()
    async with looking(hanging.looks(0.8)):
        await eventually(lambda: hanging.woken == [well], 60.0)
        assert hanging.open  # they hang on


async def test_of_one_tenant_few_are_looked_at_at_once(hanging: Hanging) -> None:
    """Also before any of them was found slow."""
    await hanging.hang(1, each=12)
    well = await hanging.heal()
    async with looking(hanging.looks(600.0)):
        await eventually(lambda: hanging.woken == [well])
        assert hanging.most[-1] == 2


async def test_slow_looks_go_on_aside_as_many_as_have_room_and_the_others_are_cut(
    hanging: Hanging,
) -> None:
    """And the next round of looks does not wait for them."""
    await hanging.hang(6)
    looks = hanging.looks(2.0)
    async with looking(looks) as round_:
        await round_
        await eventually(lambda: len(hanging.open) == 4)
        well = await hanging.heal()
        await looks.look()
        assert hanging.woken == [well]
        assert len(hanging.open) == 4
    await eventually(lambda: not hanging.open)


async def test_a_tenant_has_one_look_aside(hanging: Hanging) -> None:
    await hanging.hang(1, each=3)
    async with looking(hanging.looks(0.3)) as round_:
        await round_
        assert len([one for one in asyncio.all_tasks() if one.get_name() == "second look"]) == 1


async def test_who_was_looked_at_more_often_comes_after_the_others(hanging: Hanging) -> None:
    await hanging.hang(9)
    async with hanging.sync.parts.db.write() as session:
        await session.run(text("UPDATE connection SET looks = 3 WHERE state = 'broken'"))
    well = await hanging.heal()
    async with looking(hanging.looks(600.0)):
        await eventually(lambda: hanging.woken == [well])
        async with hanging.sync.parts.db.read() as session:
            looked_at = "SELECT count(*) FROM connection WHERE looks > 3"
            assert await session.scalar(text(looked_at)) <= 8  # no more: none has ended before
