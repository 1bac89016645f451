"""What is written down of a row holds for the time at which it was read, and for no later one."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId, new_id
from kit import clock
from kit.db import Database
from services.sync.store import connections, outgoing, resyncing, settling
from services.sync.store.connections import NewConnectionRow
from services.sync.store.outgoing import DueRow, Marked
from services.sync.store.settling import Intent, Settlement

CONNECTION, RECORD = ConnectionId(new_id()), new_id()
ID = "11111111-2222-3333-4444-555555555555"
OF_IT = NewConnectionRow(CONNECTION, TenantId(new_id()), "", "dataverse", {}, {}, "recreate")
INTENT = Intent(RECORD, {"name": ""}, "a")
MARKED = Marked(RECORD, "organisation", "A", "a")


@pytest.fixture
async def db(sync_url: str) -> AsyncIterator[Database]:
    """With one row that is in flight, and was marked once."""
    made = Database(sync_url)
    async with made.write() as session:
        await connections.add(session, OF_IT, 1)
        await outgoing.mark(session, CONNECTION, [MARKED])
        await settling.intend(session, CONNECTION, [INTENT], clock.now())
    yield made
    await made.close()


async def due(db: Database) -> list[DueRow]:
    async with db.read() as session:
        return await outgoing.due(session, CONNECTION, "organisation", None, 10)


async def settle(db: Database, marked: int, **changes: object) -> None:
    known: dict[str, object] = {"record": RECORD, "state": "ok", "not_before": clock.now()}
    row = Settlement(**(known | changes))  # type: ignore[arg-type]  # each test's own
    async with db.write() as session:
        await settling.settle(session, CONNECTION, [row], {RECORD: marked})


ACCEPTED = {"sent": {"name": "hash"}, "owns": True, "crm_key": "a", "crm_id": ID}


async def test_a_row_that_nothing_was_told_of_meanwhile_is_settled(db: Database) -> None:
    [row] = await due(db)
    assert (row.sent, row.crm_key) == ({"name": ""}, "a")
    await settle(db, row.marked, **ACCEPTED)
    assert await due(db) == []


async def test_a_row_that_was_marked_meanwhile_is_looked_at_again(db: Database) -> None:
    """Whose it is counts all the same: the CRM has said so."""
    [row] = await due(db)
    async with db.write() as session:
        await outgoing.mark(session, CONNECTION, [MARKED])
    await settle(db, row.marked, **ACCEPTED)
    [again] = await due(db)
    assert again.marked == row.marked + 1
    assert (again.state, again.sent, again.crm_id) == ("pending", {"name": ""}, ID)


async def test_a_row_that_is_gone_there_leaves_nothing_that_is_known_of_it(db: Database) -> None:
    [row] = await due(db)
    await settle(db, row.marked, state="pending", owns=True)
    [again] = await due(db)
    assert (again.sent, again.crm_key, again.crm_id) == ({}, None, None)


async def test_a_row_is_made_again_until_it_was_accepted(db: Database) -> None:
    async with db.write() as session:
        assert await resyncing.some_records(session, CONNECTION, None, 100) == (1, None)
    [row] = await due(db)
    assert (row.sent, row.recreates) == ({"name": ""}, True)
    await settle(db, row.marked, state="retry")
    assert [one.recreates for one in await due(db)] == [True]
    await settle(db, row.marked - 1, **ACCEPTED)
    assert [one.recreates for one in await due(db)] == [True]
    await settle(db, row.marked, **ACCEPTED)
    async with db.read() as session:
        assert await session.scalar(text("SELECT recreates FROM outgoing")) is False


async def test_a_parked_row_is_due_when_its_time_has_come(db: Database) -> None:
    [row] = await due(db)
    later: datetime = clock.now().replace(year=9000)
    await settle(db, row.marked, state="parked", not_before=later)
    assert await due(db) == []
    async with db.write() as session:
        await outgoing.wake_parked(session, CONNECTION, "organisation", ["a"])
    assert [one.state for one in await due(db)] == ["pending"]
