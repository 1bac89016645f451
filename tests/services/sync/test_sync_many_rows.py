"""However many records a connection has: what concerns all of them is done in parts."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from contracts.ids import ConnectionId
from services.sync.push.pulling import Pull
from services.sync.store import connections
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

_ROWS = 12_000
_FILL = text("""
INSERT INTO outgoing (connection, record, module, key, same_key, state, sent)
SELECT id, gen_random_uuid(), 'organisation', 'K' || n, 'k' || n, 'ok', '{"name": "0011223344"}'
FROM connection, generate_series(1, :rows) AS n""")


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


async def test_a_resync_of_a_module_that_there_is_not_says_so(sync: Sync) -> None:
    connection = await sync.connect()
    wanted = {"module": "organization"}
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json=wanted)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "the connection has no such module"
