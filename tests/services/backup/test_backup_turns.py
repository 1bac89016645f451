"""Turns: one holder at a time, and what a holder wrote under its fence nobody else was part of."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.ids import TenantId, new_id
from kit import clock
from kit.db import Database, WriteSession
from services.backup.store import backups, tenants, turns
from services.backup.store.backups import FULLS
from services.backup.store.restores import RESTORES
from services.backup.store.turns import Turn
from tests.eventually import eventually

_SOON = timedelta(minutes=1)


@pytest.fixture
async def db(
    service_db: Callable[[str], Awaitable[str]], open_db: Callable[[str], Database]
) -> Database:
    return open_db(await service_db("backup"))


async def _tenant(db: Database) -> TenantId:
    tenant = TenantId(new_id())
    async with db.write() as session:
        await tenants.add(session, tenant)
    return tenant


async def _restore(session: WriteSession, backup: UUID, tenant: TenantId, state: str) -> None:
    sql = (
        "INSERT INTO restore (restore, tenant, snapshot, state, plan)"
        " VALUES (:restore, :tenant, :backup, :state, '{}')"
    )
    given = {"restore": new_id(), "tenant": tenant, "backup": backup, "state": state}
    await session.run(text(sql), given)


async def _take(db: Database, tenant: TenantId, holder: UUID, ends: timedelta = _SOON) -> bool:
    now = clock.now()
    async with db.write() as session:
        return await turns.take(session, tenant, holder, now, now + ends)


async def _holds(db: Database, tenant: TenantId, holder: UUID) -> bool:
    try:
        async with Turn(db, tenant, holder).write():
            return True
    except turns.TurnLost:
        return False


async def test_a_running_turn_is_not_taken_and_one_that_has_ended_is(db: Database) -> None:
    tenant, first, second = await _tenant(db), uuid4(), uuid4()
    assert await _take(db, tenant, first)
    assert not await _take(db, tenant, second)
    assert await _holds(db, tenant, first)
    assert not await _holds(db, tenant, second)
    async with db.write() as session:
        assert await turns.renew(session, tenant, first, clock.now())
    assert await _take(db, tenant, second)
    assert not await _holds(db, tenant, first)


async def test_a_turn_holds_to_its_last_moment_and_no_longer(db: Database) -> None:
    tenant, now = await _tenant(db), clock.now()
    tick = timedelta(microseconds=1)
    async with db.write() as session:
        assert await turns.take(session, tenant, uuid4(), now, now + _SOON)
        assert not await turns.take(session, tenant, uuid4(), now + _SOON - tick, now + 2 * _SOON)
        assert await turns.take(session, tenant, uuid4(), now + _SOON, now + 2 * _SOON)


async def test_only_its_holder_renews_a_turn_or_gives_it_up(db: Database) -> None:
    tenant, holder, other = await _tenant(db), uuid4(), uuid4()
    await _take(db, tenant, holder)
    async with db.write() as session:
        assert not await turns.renew(session, tenant, other, clock.now() + _SOON)
        await turns.give_up(session, tenant, other)
    assert await _holds(db, tenant, holder)


async def test_while_a_holder_writes_under_its_fence_nobody_takes_its_turn(db: Database) -> None:
    """Not even when it ends in the middle: the fence holds until the commit."""
    tenant, holder, other = await _tenant(db), uuid4(), uuid4()
    await _take(db, tenant, holder, timedelta(microseconds=1))
    async with Turn(db, tenant, holder).write():
        taking = asyncio.create_task(_take(db, tenant, other))
        await eventually(lambda: _is_over_or_waiting(db, taking))
        assert not taking.done()
    assert await taking


async def _is_over_or_waiting(db: Database, task: "asyncio.Task[bool]") -> bool:
    sql = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with db.read() as session:
        return task.done() or bool(await session.scalar(text(sql)))


async def test_a_tenant_whose_turn_is_taken_has_nothing_claimed(db: Database) -> None:
    tenant, other, now = await _tenant(db), await _tenant(db), clock.now()
    await _take(db, tenant, uuid4())
    async with db.write() as session:
        await backups.ask(session, tenant, "demand")
        await backups.ask(session, other, "demand")
        claimed = [await FULLS.claim(session, uuid4(), now, now + _SOON) for _ in range(2)]
    assert [job.tenant if job else None for job in claimed] == [other, None]


async def test_a_full_waits_for_a_restore_of_its_tenant_that_is_queued(db: Database) -> None:
    """Even where the turn became free only when restores had been asked for already."""
    tenant, other, now = await _tenant(db), await _tenant(db), clock.now()
    async with db.write() as session:
        full = await backups.ask(session, tenant, "demand")
        await _restore(session, full.backup, tenant, "queued")
        await backups.ask(session, other, "demand")
        claimed = [
            await FULLS.claim(session, uuid4(), now, now + _SOON, before=[RESTORES])
            for _ in range(2)
        ]
    assert [job.tenant if job else None for job in claimed] == [other, None]


async def test_each_claim_of_a_full_is_an_attempt(db: Database) -> None:
    tenant, now = await _tenant(db), clock.now()
    attempts = []
    for _ in range(2):
        holder = uuid4()
        async with db.write() as session:
            await backups.ask(session, tenant, "demand")
            job = await FULLS.claim(session, holder, now, now + _SOON)
            assert job is not None
            attempts.append(job.attempts)
        async with Turn(db, tenant, holder).write() as fenced:
            await backups.requeue(fenced, job.backup)
            await turns.give_up(fenced, tenant, holder)
    assert attempts == [1, 2]


@pytest.mark.parametrize("state", ["running", "swapping"])
async def test_an_interrupted_restore_is_abandoned_when_its_turn_ends(
    db: Database, state: str
) -> None:
    tenant, holder = await _tenant(db), uuid4()
    async with db.write() as session:
        row = await backups.ask(session, tenant, "demand")
        await _restore(session, row.backup, tenant, state)
    await _take(db, tenant, holder)
    async with db.read() as session:
        assert await RESTORES.abandoned(session, clock.now(), 9) == []
        assert await RESTORES.abandoned(session, clock.now() + _SOON, 9) == [tenant]
    async with Turn(db, tenant, holder).write() as fenced:
        job = await RESTORES.left_open(fenced, tenant)
    assert job is not None
    assert job.is_swapping == (state == "swapping")


async def test_no_more_is_healed_at_a_time_than_there_are_places(db: Database) -> None:
    for _ in range(3):
        async with db.write() as session:
            tenant = TenantId(new_id())
            await tenants.add(session, tenant)
            await backups.ask(session, tenant, "demand")
    async with db.write() as session:
        await session.run(text("UPDATE snapshot SET state = 'running', started_at = now()"))
        assert len(await FULLS.abandoned(session, clock.now(), 2)) == 2
        assert len(await FULLS.abandoned(session, clock.now(), 3)) == 3


async def test_a_turn_that_nobody_has_is_not_the_last_holders(db: Database) -> None:
    """A run that was overtaken by one that has ended since is overtaken all the same."""
    tenant, first, second = await _tenant(db), uuid4(), uuid4()
    await _take(db, tenant, first, timedelta())
    assert await _take(db, tenant, second)
    async with db.write() as session:
        await turns.give_up(session, tenant, second)
    assert not await _holds(db, tenant, first)


async def test_what_another_has_ended_meanwhile_is_not_left_open(db: Database) -> None:
    """Two found it abandoned; the second one takes the turn when the first has healed it."""
    tenant, second = await _tenant(db), uuid4()
    async with db.write() as session:
        row = await backups.ask(session, tenant, "demand")
        await session.run(text("UPDATE snapshot SET state = 'running'"))
        assert await FULLS.abandoned(session, clock.now(), 9) == [tenant]
    assert await _take(db, tenant, second)
    async with Turn(db, tenant, second).write() as fenced:
        assert await FULLS.left_open(fenced, tenant)
        await backups.fail(fenced, row.backup, "interrupted", clock.now())
        assert await FULLS.left_open(fenced, tenant) is None
