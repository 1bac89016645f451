"""Forgetting: plans end and go, old restores and rows of gone backups too; backups stay."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import new_id
from kit import clock
from kit.db import Database
from kit.timers import running
from services.backup.forgetting import BATCH, forgetting
from services.backup.store import backups
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup

_PLANS = (
    "INSERT INTO restore (restore, tenant, snapshot, state, plan, planned_at)"
    " SELECT gen_random_uuid(), :tenant, :backup, :state, '{}', now() - CAST(:age AS interval)"
    " FROM generate_series(1, :count)"
)
_BACKUPS = (
    "INSERT INTO snapshot (snapshot, tenant, cause, state, requested_at)"
    " SELECT gen_random_uuid(), :tenant, 'demand', :state, now() - CAST(:age AS interval)"
    " FROM generate_series(1, :count)"
)


@pytest.fixture
async def db(service_db: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """The index alone: no service that forgets of its own accord."""
    made = Database(await service_db("backup"))
    yield made
    await made.close()


async def _run(db: Database, sql: str, days: int, **values: Any) -> None:
    async with db.write() as session:
        await session.run(text(sql), {**values, "age": timedelta(days=days)})


async def _backup(db: Database) -> dict[str, UUID]:
    """A tenant with one verified backup, as far as the index knows."""
    tenant, snapshot = new_id(), new_id()
    async with db.write() as session:
        covered = "INSERT INTO tenant (tenant, covered_until) VALUES (:t, now())"
        await session.run(text(covered), {"t": tenant})
        row = "INSERT INTO snapshot (snapshot, tenant, cause, state) VALUES (:s, :t, 'demand', :v)"
        await session.run(text(row), {"s": snapshot, "t": tenant, "v": "verified"})
    return {"tenant": tenant, "backup": snapshot}


async def _forgotten(db: Database, table: str, left: dict[str, int]) -> None:
    """Run the timer until exactly these are left, by state."""

    async def is_gone() -> bool:
        async with db.read() as session:
            query = f"SELECT state, count(*) AS rows FROM {table} GROUP BY state"
            found = await session.all(text(query))
        return {row["state"]: row["rows"] for row in found} == left

    assert not await is_gone()
    async with running([forgetting(db, timedelta(hours=1))]):
        await eventually(is_gone)


async def test_plans_end_after_their_time_and_go_later(db: Database) -> None:
    given = await _backup(db)
    await _run(db, _PLANS, 31, count=2 * BATCH + 1, state="planned", **given)
    await _run(db, _PLANS, 29, count=2, state="planned", **given)
    await _run(db, _PLANS, 0, count=3, state="planned", **given)
    await _forgotten(db, "restore", {"planned": 3, "expired": 2})


async def test_restores_that_ended_long_ago_go_and_open_ones_stay(db: Database) -> None:
    given = await _backup(db)
    for state in ("completed", "failed"):
        await _run(db, _PLANS, 401, count=2, state=state, **given)
        await _run(db, _PLANS, 399, count=1, state=state, **given)
    await _run(db, _PLANS, 500, count=1, state="queued", **given)
    await _forgotten(db, "restore", {"completed": 1, "failed": 1, "queued": 1})


async def test_rows_of_backups_that_are_gone_go_after_the_restores_that_name_them(
    db: Database,
) -> None:
    given = await _backup(db)
    for state in ("failed", "expired"):
        await _run(db, _BACKUPS, 401, count=2, state=state, tenant=given["tenant"])
        await _run(db, _BACKUPS, 399, count=1, state=state, tenant=given["tenant"])
    await _run(db, _BACKUPS, 900, count=1, state="verified", tenant=given["tenant"])
    await _run(db, _BACKUPS, 900, count=1, state="broken", tenant=given["tenant"])
    await _run(db, _BACKUPS, 401, count=1, state="missing", tenant=given["tenant"])
    restores = (
        "INSERT INTO restore (restore, tenant, snapshot, state, plan, planned_at)"
        " SELECT gen_random_uuid(), tenant, snapshot, 'completed', '{}',"
        " now() - CAST(:age AS interval) FROM snapshot WHERE state = 'failed'"
    )
    await _run(db, restores, 200)
    await _forgotten(db, "snapshot", {"failed": 3, "expired": 1, "verified": 2, "broken": 1})
    async with db.write() as session:
        await session.run(text("UPDATE restore SET planned_at = now() - interval '401 days'"))
    await _forgotten(db, "snapshot", {"failed": 1, "expired": 1, "verified": 2, "broken": 1})


async def test_a_full_is_forgotten_after_what_hangs_on_it(db: Database) -> None:
    given = await _backup(db)
    await _run(db, _BACKUPS, 401, count=1, state="expired", tenant=given["tenant"])
    hanging = (
        "INSERT INTO snapshot (snapshot, tenant, cause, state, requested_at, base)"
        " SELECT gen_random_uuid(), tenant, cause, state, now() - CAST(:age AS interval), snapshot"
        " FROM snapshot WHERE state = 'expired'"
    )
    await _run(db, hanging, 399)
    assert await _forget(db) == 0
    async with db.write() as session:
        await session.run(text("UPDATE snapshot SET requested_at = now() - interval '402 days'"))
    assert [await _forget(db) for _ in range(3)] == [1, 1, 0]


async def _forget(db: Database) -> int:
    async with db.write() as session:
        return await backups.forget(session, clock.now() - timedelta(days=400), BATCH)


async def test_a_tenant_has_at_most_ten_open_plans(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    made = await backup.backed_up(tenant)
    body = {"backup": made["id"]}
    for _ in range(8):
        await backup.planned(tenant, made["id"])
    answers = await asyncio.gather(*(backup.post(tenant, "/restores", body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409).json()
    assert refused["type"] == "/problems/restore-plans-too-many"
    assert refused["detail"] == "10 plans are open"
    async with backup.db.write() as session:
        await session.run(text("UPDATE restore SET planned_at = now() - interval '61 minutes'"))
    plan = await backup.planned(tenant, made["id"])
    async with running([forgetting(backup.db, timedelta(hours=1))]):

        async def has_ended() -> bool:
            listed = (await backup.get(tenant, "/restores"))["restores"]
            return [one["state"] for one in listed] == ["planned"] + ["expired"] * 10

        await eventually(has_ended)
    answer = await backup.post(tenant, f"/restores/{plan['id']}/execute")
    assert answer.status_code == 202
