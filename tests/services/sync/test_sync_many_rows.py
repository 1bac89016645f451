"""However many records a connection has: what concerns all of them is done in parts."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from contracts.ids import ConnectionId
from kit.db import WriteSession
from services.sync.push.fence import Fence
from services.sync.push.pulling import Pull
from services.sync.push.sending import wake_children
from services.sync.store import connections, left_rows, resyncing
from services.sync.store.left_rows import FIRST
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

_ROWS = 12_000
_FILL = text("""
INSERT INTO outgoing (connection, record, module, key, same_key, state, sent)
SELECT id, gen_random_uuid(), 'organisation', 'K' || n, 'k' || n, 'ok', '{"name": "0011223344"}'
FROM connection, generate_series(1, :rows) AS n""")

_GONE = text("""
UPDATE outgoing SET state = 'removed', code = 'gone', crm_key = same_key, crm_id = 'id of ' || key
WHERE same_key < 'k5'""")


async def filled(sync: Sync) -> str:
    connection = await sync.connect()
    async with sync.parts.db.write() as session:
        await session.run(_FILL, {"rows": _ROWS})
    return connection


async def transactions(sync: Sync) -> tuple[int, int]:
    """How many rows are due, and how many transactions wrote them."""
    query = "SELECT count(*) AS rows, count(DISTINCT xmin::text) AS times FROM outgoing"
    async with sync.parts.db.read() as session:
        row = await session.first(text(query + " WHERE state = 'pending'"))
    assert row is not None
    return row["rows"], row["times"]


async def test_a_resync_and_a_feed_that_starts_over_mark_a_part_of_the_rows_at_a_time(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        connection = await filled(sync)
        async with sync.parts.db.write() as session:
            row = await connections.begin_push(session, ConnectionId(UUID(connection)))
        assert row is not None
        async with Pull(sync.parts.db, peer.client(), row, 500, str.casefold) as pull:
            assert await pull.more()
            assert await transactions(sync) == (_ROWS, 3)
        answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
        assert answer.json() == {"resynced": _ROWS}
        assert await transactions(sync) == (_ROWS, 3)


async def test_a_resync_of_one_key_or_module_looks_at_nothing_else(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        id_, costs = ConnectionId(UUID(await filled(sync))), list[list[int]]()
        for _ in range(2):
            async with sync.parts.db.write() as session:
                await session.run(_FILL, {"rows": _ROWS})
                few = "UPDATE outgoing SET module = 'person' WHERE same_key IN ('k1', 'k2', 'k3')"
                await session.run(text(few))
                await session.run(text("ANALYZE outgoing"))
                before, cost = await looked_at(session), list[int]()
                for module, keys in (("person", None), ("organisation", "k7")):
                    if keys is None:
                        await resyncing.of_module(session, id_, module, None, 5000)
                        await resyncing.some_records(session, id_, None, 5000, module)
                    else:
                        await resyncing.of_key(session, id_, module, keys)
                    after = await looked_at(session)
                    cost.append(after - before)
                    before = after
                costs.append(cost)
        assert costs[0][0] <= 3 * 6  # of each key as many as it was filled times
        assert costs[1][0] <= 3 * 9
        assert max(costs[0][1], costs[1][1]) <= 9


async def test_a_resync_of_one_key_looks_at_no_other_vanished_record(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        id_ = ConnectionId(UUID(await filled(sync)))
        async with sync.parts.db.write() as session:
            await session.run(_GONE)
            await session.run(text("ANALYZE outgoing"))
            for key in ("k4", "k6"):  # the record of one is gone
                for _ in range(8):  # also once the statement is planned for any key
                    before = await looked_at(session)
                    await left_rows.leave_some(session, id_, "organisation", key, FIRST, 5000)
                    assert await looked_at(session) - before <= 5, key
        async with sync.parts.db.read() as session:
            left = await session.all(text("SELECT same_key FROM left_row"))
        assert [row["same_key"] for row in left] == ["k4"]


async def looked_at(session: WriteSession) -> int:
    """Rows that this transaction has read or changed."""
    of_outgoing = "seq_tup_read + idx_tup_fetch + n_tup_upd FROM pg_stat_xact_user_tables"
    return int(await session.scalar(text(f"SELECT {of_outgoing} WHERE relname = 'outgoing'")))


async def test_a_resync_of_a_module_marks_a_part_of_it_at_a_time_and_misses_none(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Also a record whose key an earlier version has not compared, and one with an empty one."""
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        connection = await filled(sync)
        async with sync.parts.db.write() as session:
            await session.run(text("UPDATE outgoing SET same_key = NULL WHERE same_key = 'k1'"))
            await session.run(text("UPDATE outgoing SET same_key = '' WHERE same_key = 'k2'"))
            await session.run(text("UPDATE outgoing SET module = 'person' WHERE same_key = 'k3'"))
        answer = await sync.http.post(
            f"{sync.path}/{connection}/resync", json={"module": "organisation"}
        )
        assert answer.json() == {"resynced": _ROWS - 1}
        rows, times = await transactions(sync)
        assert (rows, times) == (_ROWS - 1, 4)


async def test_a_resync_of_a_module_that_there_is_not_says_so(sync: Sync) -> None:
    connection = await sync.connect()
    wanted = {"module": "organization"}
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json=wanted)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "the connection has no such module"


async def test_children_whose_parents_have_been_made_are_woken_a_part_at_a_time(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    async with running_sync(
        sync_url, tmp_path, simulator, peer, sweep_s=600.0, settle_s=600.0
    ) as sync:
        id_ = ConnectionId(UUID(await filled(sync)))
        async with sync.parts.db.write() as session:
            row = await connections.begin_push(session, id_)
            parked = "UPDATE outgoing SET state = 'parked', code = 'reference-missing'"
            await session.run(text(parked))
        assert row is not None
        fence = Fence(sync.parts.db, id_, row.generation, row.forgets)
        assert await wake_children(fence, ["organisation"])
        assert await transactions(sync) == (_ROWS, 3)
        assert not await wake_children(fence, ["organisation"])
