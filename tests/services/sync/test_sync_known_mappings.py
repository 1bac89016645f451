"""Tenants knows every connection and what it maps, whatever was lost on the way."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.known_mappings import KnownMappings
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

COPIES = text("""INSERT INTO connection (id, tenant, name, kind, state, address, modules)
    SELECT CAST(CAST(:first AS text) || lpad(CAST(n AS text), 12, '0') AS uuid), :tenant, name,
        kind, 'paused', address, modules
    FROM (SELECT * FROM connection LIMIT 1) AS one, generate_series(1, :count) AS n""")
FIRST, LAST = "00000000-0000-7000-8000-", "ffffffff-0000-7000-8000-"
LATER = text("UPDATE connection SET modules = jsonb_set(modules, :path, '\"new\"') WHERE id = :id")


async def write(sync: Sync, statement: object, **values: object) -> None:
    async with sync.parts.db.write() as session:
        await session.run(statement, values)  # type: ignore[arg-type]


async def map_more(sync: Sync, connection: UUID) -> None:
    """A field more, by whatever way; nobody is told."""
    path = ["organisation", "fields", "extra"]
    await write(sync, LATER, id=connection, path=path)


def mapped(sync: Sync) -> dict[str, list[str]]:
    return {"organisation": sorted(sync.simulator.MAPPING["fields"])}


async def is_still(sync: Sync) -> bool:
    """Nothing is due any more: further sweeps tell nothing."""
    before = len(sync.peer.told)
    await sync.parts.known_mappings.sweep()
    return len(sync.peer.told) == before


async def test_a_choice_can_be_made_as_soon_as_the_connection_is(sync: Sync) -> None:
    connection = UUID(await sync.connect())
    assert sync.peer.mapped == {connection: mapped(sync)}
    assert await is_still(sync)
    assert sync.peer.told == [("PUT", connection)], "once, and not by every sweep"


async def test_a_connection_that_tenants_was_not_told_of_is_saved_and_told_by_the_sweep(
    sync: Sync,
) -> None:
    """Nothing leaves without a choice, and none is made before: saving it opens nothing."""
    sync.peer.deaf = True
    connection = UUID(await sync.connect())
    assert not sync.peer.mapped
    sync.peer.deaf = False
    await eventually(lambda: sync.peer.mapped == {connection: mapped(sync)})


async def test_whoever_changes_a_mapping_it_is_told(sync: Sync) -> None:
    connection = UUID(await sync.connect())
    await map_more(sync, connection)
    more = {"organisation": sorted([*sync.simulator.MAPPING["fields"], "extra"])}
    await eventually(lambda: sync.peer.mapped[connection] == more)
    assert await is_still(sync)


async def test_a_mapping_that_changes_while_it_is_told_is_told_again(sync: Sync) -> None:
    """The older one arrives last: what tenants knows would be wrong for good."""
    connection = UUID(await sync.connect())
    sync.peer.once_told = partial(map_more, sync, connection)
    await sync.parts.known_mappings.tell(ConnectionId(connection))
    await eventually(lambda: "extra" in sync.peer.mapped[connection]["organisation"])
    await eventually(partial(is_still, sync))


async def test_what_tenants_has_forgotten_is_told_again_in_time(sync: Sync) -> None:
    connection = UUID(await sync.connect())
    sync.peer.mapped.clear()
    assert await is_still(sync)
    await write(sync, text("UPDATE known_mapping SET due_at = now()"))
    await eventually(lambda: sync.peer.mapped == {connection: mapped(sync)})


async def test_a_connection_that_is_removed_while_it_is_told_of_is_forgotten(sync: Sync) -> None:
    connection = await sync.connect()

    async def remove() -> None:
        await sync.http.delete(f"{sync.path}/{connection}")

    sync.peer.once_told = remove
    await sync.parts.known_mappings.tell(ConnectionId(UUID(connection)))
    await eventually(lambda: sync.peer.told[-1] == ("DELETE", UUID(connection)))
    assert sync.peer.mapped == {}


@pytest.fixture
async def quiet(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> AsyncIterator[Sync]:
    """A sync that sweeps once, and not again in this test; it has one connection."""
    async with running_sync(sync_url, tmp_path, simulator, peer, sweep_s=600.0) as running:
        await eventually(lambda: peer.looks >= 2)
        await running.connect()
        yield running


async def test_a_removed_connection_is_forgotten_there_once_though_no_notice_arrives(
    quiet: Sync,
) -> None:
    [connection] = quiet.peer.mapped
    assert (await quiet.http.delete(f"{quiet.path}/{connection}")).status_code == 204
    for _ in range(3):
        await quiet.parts.known_mappings.sweep()
    assert quiet.peer.told == [("PUT", connection), ("DELETE", connection)]
    assert (quiet.peer.mapped, quiet.peer.choices[connection]) == ({}, {})


async def test_connections_of_before_are_told_in_pages_and_each_once(quiet: Sync) -> None:
    """As after an upgrade: rows that nobody has ever told of."""
    await write(quiet, COPIES, first=LAST, tenant=quiet.tenant, count=25)
    await write(quiet, text("DELETE FROM known_mapping"))
    small = KnownMappings(quiet.parts.db, quiet.peer.client(), 600.0, most=10)
    quiet.peer.told.clear()
    for told in (10, 20, 26, 26):
        await small.sweep()
        assert len(quiet.peer.told) == told
    assert len(quiet.peer.mapped) == 26


async def test_tenants_that_cannot_be_told_of_hold_up_nobody(quiet: Sync) -> None:
    """They come back behind the others, however small the page is."""
    await write(quiet, COPIES, first=FIRST, tenant=TenantId(new_id()), count=5)
    await write(quiet, COPIES, first=LAST, tenant=quiet.tenant, count=5)
    small = KnownMappings(quiet.parts.db, quiet.peer.client(), 0.0, most=3)
    for _ in range(5):
        await small.sweep()
    assert len(quiet.peer.mapped) == 6


async def test_a_suspended_tenant_is_left_alone_until_it_is_resumed(sync: Sync) -> None:
    sync.peer.deaf = True
    connection = UUID(await sync.connect())
    sync.peer.state = "suspended"
    await eventually(partial(is_suspended, sync))
    sync.peer.deaf = False
    assert await is_still(sync)
    assert sync.peer.mapped == {}
    sync.peer.state = "active"
    await eventually(lambda: connection in sync.peer.mapped)


async def is_suspended(sync: Sync) -> bool:
    async with sync.parts.db.read() as session:
        return bool(await session.scalar(text("SELECT suspended FROM connection")))
