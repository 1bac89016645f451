"""Runs follow each other, not the clock; and what cannot be healed holds up nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import RestoreId, TenantId, new_id
from kit.http import parts_of
from services.backup.parts import BackupParts
from services.backup.store.turns import Turn
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup, running_backup
from tests.services.backup.tenants_peer import TenantsPeer

_NEVER = 86_400.0


@pytest.fixture
async def clockless(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> AsyncIterator[Backup]:
    """A service whose clocks tick at its start and then not for a day."""
    clocks = dict.fromkeys(("tick_s", "schedule_s", "sweep_s", "stocktaking_s"), _NEVER)
    async with running_backup(await service_db("backup"), peer, tmp_path, **clocks) as backup:
        await eventually(lambda: parts_of(backup.app, BackupParts).runs.timer is not None)
        yield backup


async def test_the_end_of_a_run_starts_the_next_and_so_does_queueing(clockless: Backup) -> None:
    tenants = [await clockless.peer.add(1) for _ in range(5)]
    made = await asyncio.gather(*(clockless.backed_up(tenant) for tenant in tenants))
    assert {one["state"] for one in made} == {"verified"}


async def test_executing_a_restore_starts_it(clockless: Backup) -> None:
    tenant = await clockless.peer.add(1)
    made = await clockless.backed_up(tenant)
    await clockless.restored(tenant, made["id"])


async def test_a_run_that_waited_for_another_holder_of_its_turn_starts_at_the_end(
    clockless: Backup,
) -> None:
    tenant = await clockless.peer.add(1)
    await clockless.backed_up(tenant)
    asked: list[str] = []

    async def ask(_turn: Turn) -> None:
        asked.append((await clockless.post(tenant, "/backups")).headers["location"])

    async def has_asked() -> bool:
        await parts_of(clockless.app, BackupParts).runs.hold(tenant, ask)
        return bool(asked)

    await eventually(has_asked)
    await clockless.ended(tenant, asked[0], "verified")


async def test_a_restore_goes_before_a_full_that_was_queued_earlier(backup: Backup) -> None:
    """Somebody waits for it."""
    tenant = await backup.peer.add(1)
    made = await backup.backed_up(tenant)
    plan = await backup.planned(tenant, made["id"])
    await backup.keep_busy(tenant)
    full = (await backup.post(tenant, "/backups")).headers["location"]
    restore = (await backup.post(tenant, f"/restores/{plan['id']}/execute")).headers["location"]
    await _abandon(backup)
    first = await backup.ended(tenant, restore, "completed")
    second = await backup.ended(tenant, full, "verified")
    assert first["finished_at"] <= second["started_at"]


async def test_swaps_that_hang_hold_up_no_run(backup: Backup) -> None:
    """As many as there are places; healed as soon as the peer answers again."""
    hanging = asyncio.Event()
    stuck = [await backup.peer.add(1) for _ in range(2)]
    restores = []
    for tenant in stuck:
        made = await backup.backed_up(tenant)
        plan = await backup.planned(tenant, made["id"])
        restores.append((tenant, plan["id"]))
        await _leave_swapping(backup, tenant, UUID(plan["id"]))
    backup.peer.meanwhile["swap"] = hanging.wait
    other = await backup.peer.add(1)
    await _abandon(backup)
    await eventually(lambda: backup.peer.asked.count("swap") >= 2)
    await backup.backed_up(other)
    hanging.set()
    for tenant, restore in restores:
        await backup.ended(tenant, f"/t/{tenant}/v1/restores/{restore}", "completed")


async def _leave_swapping(backup: Backup, tenant: TenantId, restore: UUID) -> None:
    """As a process left it that died when it had asked for the swap; its turn still holds."""
    client = backup.peer.client()
    target = await client.restore_target(tenant, RestoreId(restore))
    await client.aclose()
    await backup.keep_busy(tenant)
    sql = "UPDATE restore SET state = 'swapping', target = :target WHERE restore = :restore"
    async with backup.db.write() as session:
        await session.run(text(sql), {"target": target, "restore": restore})


async def _abandon(backup: Backup) -> None:
    async with backup.db.write() as session:
        await session.run(text("UPDATE turn SET expires_at = now() - interval '1 second'"))


async def test_a_turn_from_a_clock_that_was_far_ahead_does_not_hold(backup: Backup) -> None:
    tenant = await backup.peer.add(1)
    await backup.backed_up(tenant)
    await backup.keep_busy(tenant)
    answer = await backup.post(tenant, "/backups")
    async with backup.db.write() as session:
        ahead = "UPDATE turn SET expires_at = now() + interval '1 year', holder = :one"
        await session.run(text(ahead), {"one": new_id()})
    await backup.ended(tenant, answer.headers["location"], "verified")


async def test_the_end_of_a_run_frees_its_turn(clockless: Backup) -> None:
    tenant = await clockless.peer.add(1)
    await clockless.backed_up(tenant)

    async def is_free() -> bool:
        async with clockless.db.read() as session:
            return bool(await session.scalar(text("SELECT count(*) FROM turn")) == 0)

    await eventually(is_free)


async def test_a_run_stops_when_its_turn_is_lost(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    """It hangs, another process takes over; at the next renewal it is stopped."""
    hanging, stopped = asyncio.Event(), asyncio.Event()
    tenant = await peer.add(1)

    async def hang() -> None:
        try:
            await hanging.wait()
        except asyncio.CancelledError:
            stopped.set()
            raise

    peer.meanwhile["leases"] = hang
    url = await service_db("backup")
    async with running_backup(url, peer, tmp_path, turn_s=1.0) as backup:
        await backup.post(tenant, "/backups")
        await eventually(lambda: "leases" in peer.asked)
        async with backup.db.write() as session:
            stolen = "UPDATE turn SET holder = :one, expires_at = now() + interval '1 hour'"
            await session.run(text(stolen), {"one": new_id()})
        await eventually(stopped.is_set)
        hanging.set()
