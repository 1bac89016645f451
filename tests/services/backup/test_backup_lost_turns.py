"""A run that slept past its turn has no say any more, at whichever step it wakes up."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.ids import RestoreId, TenantId, UserId, new_id
from kit import clock
from kit.db import Database
from services.backup.runs.full import FullRun
from services.backup.runs.restore import RestoreRun
from services.backup.store import backups, restores, tenants, turns
from services.backup.store.backups import FULLS, FullJob
from services.backup.store.restores import RESTORES, RestoreJob
from services.backup.store.run_queue import J, RunQueue
from services.backup.store.turns import Turn, TurnLost
from tests.services.backup.running_backup import Workshop


class Stage:
    """A tenant with a verified full, a restore that has been claimed, and its holder."""

    def __init__(self, db: Database, workshop: Workshop) -> None:
        self.db, self.workshop, self.holder = db, workshop, uuid4()
        self.run = RestoreRun(workshop.restores, workshop.tenants)
        self.full = FullRun(db, workshop.fulls, workshop.verifier, workshop.stocktake(db))

    @property
    def turn(self) -> Turn:
        return Turn(self.db, self.tenant, self.holder)

    async def claim(self, queue: RunQueue[J]) -> J:
        now = clock.now()
        async with self.db.write() as session:
            job = await queue.claim(session, self.holder, now, now + timedelta(minutes=1))
        assert job is not None
        return job

    async def queue_full(self) -> FullJob:
        self.tenant = await self.workshop.peer.add(30)
        self.workshop.keyring.ensure(self.tenant)
        async with self.db.write() as session:
            await tenants.add(session, self.tenant)
            await backups.ask(session, self.tenant, "demand")
        return await self.claim(FULLS)

    async def queue_restore(self) -> RestoreJob:
        full = await self.queue_full()
        await self.full.run(full, self.turn)
        self.restore = RestoreId(new_id())
        async with self.db.write() as session:
            await turns.give_up(session, self.tenant, self.holder)
            user = UserId(new_id())
            await restores.add(session, self.restore, self.tenant, full.backup, {}, user)
            await restores.queue(session, self.restore, user)
        return await self.claim(RESTORES)

    async def lose_turn(self) -> None:
        """The clock went on, and another process took over."""
        async with self.db.write() as session:
            await session.run(text("UPDATE turn SET holder = :other"), {"other": uuid4()})

    async def states(self) -> tuple[str, str]:
        async with self.db.read() as session:
            row: Any = await session.first(
                text("SELECT r.state, s.state AS full, s.proved FROM restore r JOIN snapshot s"
                     " USING (snapshot)")
            )  # fmt: skip
        return row["state"], f"{row['full']} {row['proved']}"

    async def target(self) -> str:
        return self.workshop.peer.targets[self.restore]


@pytest.fixture
async def stage(
    service_db: Callable[[str], Awaitable[str]],
    open_db: Callable[[str], Database],
    workshop: Workshop,
) -> Stage:
    return Stage(open_db(await service_db("backup")), workshop)


async def _target_is_there(stage: Stage) -> bool:
    target = await stage.target()
    return target in await stage.workshop.peer.databases_in_cluster()


@pytest.mark.parametrize("step", ["restore-targets", "leases"])
async def test_a_restore_that_lost_its_turn_before_the_swap_swaps_and_drops_nothing(
    stage: Stage, step: str
) -> None:
    job = await stage.queue_restore()
    stage.workshop.peer.meanwhile[step] = stage.lose_turn
    with pytest.raises(TurnLost):
        await stage.run.run(job, stage.turn)
    assert await stage.states() == ("running", "verified archive")
    assert await _target_is_there(stage)
    assert "swap" not in stage.workshop.peer.asked


async def test_a_restore_that_failed_after_it_lost_its_turn_drops_nothing_and_says_nothing(
    stage: Stage,
) -> None:
    job = await stage.queue_restore()
    stage.workshop.peer.meanwhile["leases"] = stage.lose_turn
    stage.workshop.peer.down.add("leases")
    with pytest.raises(TurnLost):
        await stage.run.run(job, stage.turn)
    assert await stage.states() == ("running", "verified archive")
    assert await _target_is_there(stage)


async def test_a_swap_that_was_refused_after_the_turn_was_lost_drops_nothing(
    stage: Stage,
) -> None:
    job = await stage.queue_restore()
    stage.workshop.peer.meanwhile["swap"] = stage.lose_turn
    stage.workshop.peer.refused.add("swap")
    with pytest.raises(TurnLost):
        await stage.run.run(job, stage.turn)
    assert (await stage.states())[0] == "swapping"
    assert await _target_is_there(stage)


async def test_a_swap_that_was_done_after_the_turn_was_lost_is_told_by_the_next_holder_only(
    stage: Stage,
) -> None:
    job = await stage.queue_restore()
    stage.workshop.peer.meanwhile["swap"] = stage.lose_turn
    with pytest.raises(TurnLost):
        await stage.run.run(job, stage.turn)
    assert (await stage.states())[0] == "swapping"
    async with stage.db.write() as session:
        told = "SELECT count(*) FROM outbox WHERE body LIKE '%restore.completed%'"
        assert await session.scalar(text(told)) == 0
        holder = await session.scalar(text("SELECT holder FROM turn"))
    del stage.workshop.peer.meanwhile["swap"]
    next_turn = Turn(stage.db, stage.tenant, holder)
    async with next_turn.write() as fenced:
        left = await RESTORES.left_open(fenced, stage.tenant)
    assert left is not None
    await stage.run.heal(left, next_turn)
    assert (await stage.states())[0] == "completed"


async def test_a_healer_that_lost_its_turn_gives_nothing_up(stage: Stage) -> None:
    job = await stage.queue_restore()
    await stage.workshop.tenants.restore_target(stage.tenant, stage.restore)
    await stage.lose_turn()
    with pytest.raises(TurnLost):
        await stage.run.heal(job, stage.turn)
    assert (await stage.states())[0] == "running"
    assert await _target_is_there(stage)


async def test_a_full_that_lost_its_turn_in_the_middle_completes_nothing_and_removes_nothing(
    stage: Stage,
) -> None:
    job = await stage.queue_full()
    stage.workshop.peer.meanwhile["leases"] = stage.lose_turn
    with pytest.raises(TurnLost):
        await stage.full.run(job, stage.turn)
    assert await _state_of_full(stage.db, stage.tenant) == "running"
    assert await stage.workshop.catalogue.entries(stage.tenant) == [], "it published nothing"


async def test_a_full_that_lost_its_turn_while_it_was_read_back_completes_nothing(
    stage: Stage,
) -> None:
    """What it published before is a backup all the same: who comes next takes it up."""
    job = await stage.queue_full()
    manifest = await stage.workshop.fulls.take(stage.tenant, job.backup)
    await stage.workshop.catalogue.publish(manifest)
    await stage.lose_turn()
    with pytest.raises(TurnLost):
        await stage.full.run(job, stage.turn)
    assert await _state_of_full(stage.db, stage.tenant) == "running"


async def test_stock_taken_after_the_turn_was_lost_marks_and_removes_nothing(
    stage: Stage,
) -> None:
    await stage.queue_restore()
    for file in stage.workshop.vault_dir.rglob("manifests/*.json"):
        file.unlink()
    with pytest.raises(TurnLost):
        await stage.workshop.stocktake(stage.db).take(Turn(stage.db, stage.tenant, uuid4()))
    assert await _state_of_full(stage.db, stage.tenant) == "verified"
    await stage.workshop.stocktake(stage.db).take(stage.turn)
    assert await _state_of_full(stage.db, stage.tenant) == "missing"


_OVERTAKE = """
CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE turn SET holder = gen_random_uuid(); RETURN NULL; END $$"""
_WHEN_IT_HAS_DECIDED = """
CREATE TRIGGER overtake AFTER UPDATE ON snapshot FOR EACH ROW WHEN (NEW.state = 'expired')
EXECUTE FUNCTION overtake()"""


async def test_stock_that_was_overtaken_after_it_decided_removes_nothing(stage: Stage) -> None:
    """Who came next may have found another one broken, and needs what was to go."""
    await stage.queue_full()
    stocktake, verifier = stage.workshop.stocktake(stage.db), stage.workshop.verifier
    for _ in range(6):
        await stocktake.take(stage.turn)
        await verifier.verify(await stage.workshop.full(stage.tenant))
    async with stage.db.write() as session:
        await session.run(text(_OVERTAKE))
        await session.run(text(_WHEN_IT_HAS_DECIDED))
    with pytest.raises(TurnLost):
        await stocktake.take(stage.turn)
    assert len(await stage.workshop.catalogue.entries(stage.tenant)) == 6
    async with stage.db.write() as session:
        await session.run(text("DROP TRIGGER overtake ON snapshot"))
        stage.holder = await session.scalar(text("SELECT holder FROM turn"))
    await stocktake.take(stage.turn)
    assert len(await stage.workshop.catalogue.entries(stage.tenant)) == 5


async def _state_of_full(db: Database, tenant: TenantId | UUID) -> str:
    async with db.read() as session:
        sql = text("SELECT state FROM snapshot WHERE tenant = :tenant")
        return str(await session.scalar(sql, {"tenant": tenant}))
