"""Statements on runs: what was ended stays ended, and counts never go back."""

from uuid import UUID

from contracts.ids import ConnectionId, new_id
from services.sync.store import runs
from tests.services.sync.running_sync import Sync

COUNTS = {"sent": 5, "parked": 1}


async def begun(sync: Sync) -> tuple[UUID, ConnectionId]:
    connection = ConnectionId(UUID(await sync.connect()))
    await sync.http.post(f"{sync.path}/{connection}/pause")  # nothing else takes part
    id_ = new_id()
    async with sync.parts.db.write() as session:
        await runs.begin(session, id_, connection, "sweep", ["organisation"])
    return id_, connection


async def test_a_run_that_another_push_has_ended_tells_nothing_any_more(sync: Sync) -> None:
    id_, connection = await begun(sync)
    async with sync.parts.db.write() as session:
        assert await runs.take_over(session, connection) is None
        await runs.advance(session, id_, COUNTS)
        found = await runs.get(session, connection, id_)
    assert found is not None
    assert (found.state, found.sent) == ("interrupted", 0)


async def test_who_was_overtaken_alive_says_so(sync: Sync) -> None:
    id_, connection = await begun(sync)
    async with sync.parts.db.write() as session:
        await runs.take_over(session, connection)
        await runs.end(session, id_, "overtaken", "another", COUNTS)
        await runs.end(session, id_, "done", "", {})
        found = await runs.get(session, connection, id_)
    assert found is not None
    assert (found.state, found.sent, found.parked) == ("overtaken", 5, 1)


async def test_counts_that_come_late_take_nothing_back(sync: Sync) -> None:
    id_, connection = await begun(sync)
    async with sync.parts.db.write() as session:
        await runs.advance(session, id_, COUNTS)
        await runs.advance(session, id_, {"sent": 3})
        found = await runs.get(session, connection, id_)
    assert found is not None
    assert (found.sent, found.parked) == (5, 1)
