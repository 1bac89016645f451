"""Notices only wake: late, twice, in any order or not at all, what happens is what is so now."""

import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.events import (
    DatabaseSwapped,
    FieldChoiceChanged,
    JournalAdvanced,
    TenantResumed,
    TenantSuspended,
)
from contracts.ids import ConnectionId, new_id
from kit.messaging import Message
from kit.notice import Notice
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.strangers import is_quiet


@pytest.fixture
async def sync(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> AsyncIterator[Sync]:
    """A sync that only notices wake: its timers have run once, and not again in this test."""
    async with running_sync(sync_url, tmp_path, simulator, peer, sweep_s=600.0) as running:
        await eventually(lambda: peer.looks >= 2)
        yield running


async def is_suspended(sync: Sync) -> bool:
    async with sync.parts.db.read() as session:
        return bool(await session.scalar(text("SELECT suspended FROM connection")))


async def told(sync: Sync, *notices: Notice) -> None:
    """Each is delivered, and what it has woken has begun, before the next one is sent."""
    for notice in notices:
        before = asked(sync)
        await sync.tell(notice)
        await eventually(partial(is_asked_again, sync, before))


def asked(sync: Sync) -> int:
    return sync.peer.looks + len(sync.peer.positions)


def is_asked_again(sync: Sync, before: int) -> bool:
    return asked(sync) > before


async def test_a_suspended_tenant_is_stopped_by_a_notice_and_by_the_next_one_let_go(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    await sync.settled(connection)
    sync.peer.state = "suspended"
    await sync.tell(TenantSuspended(tenant=sync.tenant))
    await eventually(lambda: is_suspended(sync))
    sync.peer.fill(3)
    sync.peer.state = "active"
    await sync.tell(TenantResumed(tenant=sync.tenant))
    await sync.settled(connection, ok=3)


async def test_whatever_notices_say_of_a_tenant_the_directory_decides(sync: Sync) -> None:
    connection = await sync.connect()
    await sync.settled(connection)
    resumed, suspended = TenantResumed(tenant=sync.tenant), TenantSuspended(tenant=sync.tenant)
    sync.peer.state = "suspended"
    await told(sync, suspended)
    await eventually(lambda: is_suspended(sync))
    await told(sync, resumed, suspended, resumed)
    assert await is_suspended(sync)
    sync.peer.state = "active"
    await told(sync, suspended)

    async def is_active() -> bool:
        return not await is_suspended(sync)

    await eventually(is_active)
    await told(sync, suspended, suspended)
    assert not await is_suspended(sync)


async def test_a_notice_of_a_choice_or_a_swap_that_changed_nothing_reads_nothing_again(
    sync: Sync,
) -> None:
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)
    await eventually(lambda: is_quiet(sync))
    calls, before = len(sync.batches()), await moments(sync)
    await told(
        sync,
        FieldChoiceChanged(tenant=sync.tenant, connection=UUID(connection)),
        DatabaseSwapped(tenant=sync.tenant, restore=new_id()),
        JournalAdvanced(tenant=sync.tenant),
    )
    await eventually(lambda: is_quiet(sync))
    assert "" not in sync.peer.positions[1:]
    assert await moments(sync) == before
    assert len(sync.batches()) == calls


async def moments(sync: Sync) -> list[object]:
    """When each record's state was written."""
    query = text("SELECT record, updated_at FROM outgoing ORDER BY record")
    async with sync.parts.db.read() as session:
        return [tuple(row.values()) for row in await session.all(query)]


async def test_the_feed_alone_starts_over_after_a_changed_choice_and_after_a_swap(
    sync: Sync,
) -> None:
    """No notice of either arrives; any look at the feed is enough."""
    sync.peer.fill(4)
    sync.peer.choice = {"organisation": ["name"]}
    connection = await sync.connect()
    await sync.settled(connection, ok=4)
    kept = {id_: dict(record) for id_, record in sync.peer.records.items()}

    sync.peer.choice = {"organisation": ["name", "sector"]}
    sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
    await eventually(lambda: len(sync.sent()) == 8)
    await sync.settled(connection, ok=4)

    sync.peer.put("K0", name="made after the backup")
    sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
    await eventually(lambda: len(sync.sent()) == 9)
    await sync.settled(connection, ok=4)
    sync.peer.records, sync.peer.journal, sync.peer.chain = kept, [], "b"
    sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
    await eventually(lambda: len(sync.sent()) == 10)
    assert [body for _, body in sync.sent()[9:]] == [{"name": "Name 0"}]


@pytest.mark.parametrize("seed", range(4))
async def test_in_any_order_and_twice_the_end_is_the_same(sync: Sync, seed: int) -> None:
    chance = random.Random(seed)
    sync.peer.fill(2)
    connection = await sync.connect()
    await sync.settled(connection, ok=2)
    sync.peer.put("K0", name="Another")
    sync.peer.choice = {"organisation": ["name", "sector", "headquarters"]}
    sync.peer.put("K1", headquarters="Lund")
    notices: list[Notice] = [
        JournalAdvanced(tenant=sync.tenant),
        FieldChoiceChanged(tenant=sync.tenant, connection=UUID(connection)),
        DatabaseSwapped(tenant=sync.tenant, restore=new_id()),
        TenantSuspended(tenant=sync.tenant),
        TenantResumed(tenant=sync.tenant),
    ]
    messages: list[Message] = [one.to_message(source="/test") for one in notices] * 2
    for message in chance.sample(messages, len(messages)):
        await sync.broker.publish(message)

    async def has_arrived() -> bool:
        rows = {row[sync.simulator.KEY]: row for row in sync.simulator.records()}
        found = (rows["K0"]["name"], rows["K1"].get(sync.simulator.HEADQUARTERS))
        return found == ("Another", "Lund") and await is_quiet(sync)

    await eventually(has_arrived)
    await sync.settled(connection, ok=2)
    assert len(sync.sent()) == 4
    assert not await is_suspended(sync)
