"""However many rows a connection has: moving or removing it answers at once, what was believed is
forgotten in parts, and nothing is sent with a half of it."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId
from services.sync import unlearning
from services.sync.push.difference import IN_FLIGHT
from services.sync.push.fence import Fence
from services.sync.push.lock import Overtaken
from services.sync.store import connections, to_forget
from services.sync.store.settling import Intent
from services.sync.store.to_forget import ToForget
from tests.eventually import eventually
from tests.gateway.edge_parts import serving
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm
from tests.services.sync.sync_process import SyncProcess, services_of

_PART = unlearning.AT_ONCE
_ROWS = 2 * _PART + 1
_FILL = text("""
INSERT INTO outgoing (connection, record, module, key, same_key, crm_key, crm_id, state, sent)
SELECT id, gen_random_uuid(), :module, 'K' || n, 'k' || n, 'k' || n, 'id' || n, 'ok',
    '{"name": "0011223344", "parent": "0011"}'
FROM connection, generate_series(1, :rows) AS n""")
_BELIEVED = "crm_key IS NOT NULL OR crm_id IS NOT NULL OR sent <> '{}'"
_HELD = "UPDATE connection SET retry_at = 'infinity'"  # the loop forgets, and no push begins


async def run(sync: Sync, sql: str, **values: Any) -> None:
    async with sync.parts.db.write() as session:
        await session.run(text(sql), values)


async def count(sync: Sync, where: str = "true") -> int:
    async with sync.parts.db.read() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM outgoing WHERE {where}")))


async def filled(sync: Sync, module: str = "organisation", rows: int = _ROWS) -> ConnectionId:
    connection = ConnectionId(UUID(await sync.connect()))
    await fill(sync, module, rows)
    return connection


async def fill(sync: Sync, module: str = "organisation", rows: int = _ROWS) -> None:
    async with sync.parts.db.write() as session:
        await session.run(_FILL, {"module": module, "rows": rows})


async def moved(sync: Sync, connection: ConnectionId) -> dict[str, Any]:
    """To another key column: other rows."""
    answer = await sync.http.patch(f"{sync.path}/{connection}", json={"modules": sync.apart(1)})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def forget_part(sync: Sync, connection: ConnectionId) -> bool:
    async with sync.parts.db.write() as session:
        return await to_forget.forget_some(session, connection, _PART)


async def may_push(sync: Sync, connection: ConnectionId) -> bool:
    async with sync.parts.db.write() as session:
        return await connections.begin_push(session, connection) is not None


async def test_a_connection_that_moves_answers_at_once_and_forgets_a_part_at_a_time(
    still: Sync,
) -> None:
    connection = await filled(still)
    body = await moved(still, connection)
    assert body["forgetting"] is True
    assert await count(still, _BELIEVED) == _ROWS
    for left, is_done in ((_ROWS - _PART, False), (1, False), (0, True)):
        assert not await may_push(still, connection)
        assert (await still.get(f"/{connection}"))["forgetting"] is True
        assert await forget_part(still, connection) is is_done
        assert await count(still, _BELIEVED) == left
    assert (await still.get(f"/{connection}"))["forgetting"] is False
    assert await may_push(still, connection)
    assert await count(still) == _ROWS


async def test_a_removed_connections_rows_go_in_parts(still: Sync) -> None:
    connection = await filled(still)
    answer = await still.http.delete(f"{still.path}/{connection}")
    assert answer.status_code == 204
    for left in (_ROWS - _PART, 1, 0):
        assert await count(still) > left
        await forget_part(still, connection)
        assert await count(still) == left


async def test_a_module_that_goes_and_columns_of_lookups_are_forgotten_in_parts(
    still: Sync,
) -> None:
    connection = await filled(still, rows=_PART)
    await fill(still, "person", _PART)
    async with still.parts.db.write() as session:
        what = ToForget(gone=["person"], columns={"organisation": ["parent"]})
        await to_forget.put(session, connection, what)
    rows = await count(still)
    assert await forget_part(still, connection) is False
    gone = rows - await count(still)
    assert gone + await count(still, "NOT sent ? 'parent'") == _PART
    while not await forget_part(still, connection):
        pass
    assert await count(still) == await count(still, "NOT sent ? 'parent'") == _PART
    assert await count(still, "sent ? 'name' AND crm_id IS NOT NULL") == _PART


async def test_of_two_changes_that_come_one_after_the_other_both_are_forgotten(
    still: Sync,
) -> None:
    """The second one comes before the first is done: nothing of it is lost, nor passed over."""
    connection = await filled(still)
    await moved(still, connection)
    await forget_part(still, connection)
    contact = {"contact": {**still.simulator.MAPPING, "key_attribute": "accountnumber"}}
    answer = await still.http.patch(f"{still.path}/{connection}", json={"modules": contact})
    assert answer.status_code == 200, answer.text
    async with still.parts.db.read() as session:
        row = await connections.get(session, connection)
    assert row is not None
    assert ToForget.stored(row.to_forget) == ToForget(gone=["organisation"], moved=["organisation"])
    while not await forget_part(still, connection):
        pass
    assert await count(still) == 0


async def test_what_a_process_has_left_half_done_is_done_by_the_next_one(
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
    still: Sync,
) -> None:
    peer.put("A", name="One")
    connection = await filled(still)
    await moved(still, connection)
    await forget_part(still, connection)
    await run(still, "UPDATE connection SET retry_at = NULL")
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        await eventually(lambda: len(simulator.records()) == 1)
        assert (await sync.get(f"/{connection}"))["forgetting"] is False
        assert await count(sync, _BELIEVED) == 1


async def test_a_process_that_is_killed_leaves_whole_parts_and_nothing_is_sent_before_the_end(
    still: Sync, free_port: Callable[[], int]
) -> None:
    rows = 20 * _PART
    connection = await filled(still, rows=rows)
    port = free_port()

    async def has_begun() -> bool:
        return await count(still, _BELIEVED) < rows

    async with serving(services_of(still.peer), port):
        services = f"http://127.0.0.1:{port}"
        victim, next_one = (SyncProcess(still, services, free_port) for _ in range(2))
        try:
            await moved(still, connection)
            starting = asyncio.create_task(victim.start())
            await eventually(has_begun, 60.0)
            victim.kill()
            await asyncio.gather(starting, return_exceptions=True)
            left = await count(still, _BELIEVED)
            assert 0 < left < rows
            assert left % _PART == 0
            assert not await may_push(still, connection)
            assert still.sent() == []
            await next_one.start()
            await eventually(lambda: has_ended(still, connection), 60.0)
            assert await count(still, _BELIEVED) == 0
            assert await may_push(still, connection)
        finally:
            victim.kill()
            next_one.kill()


async def has_ended(sync: Sync, connection: ConnectionId) -> bool:
    return not (await sync.get(f"/{connection}"))["forgetting"]


async def test_the_loop_forgets_a_part_of_each_connection_in_its_turn(still: Sync) -> None:
    """And one that it cannot get at holds up no other."""
    first = ConnectionId(UUID(await still.connect()))
    second = ConnectionId(UUID(await still.connect(modules=still.apart(2))))
    await run(still, _HELD)
    await fill(still, rows=_PART + 1)  # of each
    for one in (first, second):
        assert (await still.http.delete(f"{still.path}/{one}")).status_code == 204
    woken = list[ConnectionId]()
    looped = unlearning.Unlearning(still.parts.db, 600.0, lambda _of, one: woken.append(one))
    await run(
        still, f"""UPDATE connection SET to_forget = '{{"strange": 1}}' WHERE id = '{first}'"""
    )
    await looped.forget()
    assert woken == [second]
    assert await count(still) == await count(still, f"connection = '{first}'") == _PART + 1
    await run(
        still,
        f"""UPDATE connection SET to_forget = '{{"everything": true}}'
        WHERE id = '{first}'""",
    )
    await looped.forget()
    assert await count(still) == 0


async def test_twice_as_many_rows_are_twice_as_many_parts_of_the_same_size(still: Sync) -> None:
    connection, parts = await filled(still, rows=0), list[list[int]]()
    for rows in (2 * _PART, 4 * _PART):
        await fill(still, rows=rows)
        async with still.parts.db.write() as session:
            await to_forget.put(session, connection, ToForget(moved=["organisation"]))
        left, is_done = [rows], False
        while not is_done:
            is_done = await forget_part(still, connection)
            left.append(await count(still, _BELIEVED))
        parts.append([before - after for before, after in pairwise(left)])
        await run(still, "DELETE FROM outgoing")
    assert parts == [[_PART] * 2 + [0], [_PART] * 4 + [0]]


async def test_a_part_looks_at_no_more_rows_than_it_has_however_many_there_are(
    still: Sync,
) -> None:
    connection, looked_at = await filled(still, rows=0), list[int]()
    stats = "seq_tup_read + idx_tup_fetch + n_tup_upd FROM pg_stat_xact_user_tables"
    for rows in (5 * _PART, 10 * _PART):
        await fill(still, rows=rows)
        async with still.parts.db.write() as session:
            await to_forget.put(session, connection, ToForget(moved=["organisation"]))
            await session.run(text("ANALYZE outgoing"))
        async with still.parts.db.write() as session:
            await to_forget.forget_some(session, connection, 100)
            seen = await session.scalar(text(f"SELECT {stats} WHERE relname = 'outgoing'"))
        looked_at.append(int(seen))
        await run(still, "DELETE FROM outgoing")
    assert max(looked_at) <= 3 * 100  # found, found once more, changed


async def test_a_forgotten_connection_is_not_deleted_before_its_rows(still: Sync) -> None:
    """Its rows would go with it, all at once."""
    connection = await filled(still)
    await still.http.delete(f"{still.path}/{connection}")
    async with still.parts.db.write() as session:
        old = "UPDATE connection SET updated_at = now() - interval '900 days' RETURNING now()"
        now = await session.scalar(text(old))
        assert await connections.forget_removed(session, now, 10) == 0
        while not await to_forget.forget_some(session, connection, _PART):
            pass
        assert await connections.forget_removed(session, now, 10) == 1


async def test_what_was_on_its_way_to_the_rows_of_before_says_nothing_of_the_others(
    still: Sync,
) -> None:
    """An empty field would be sent there, to clear what never held a value of ours."""
    connection = await filled(still, rows=1)
    async with still.parts.db.write() as session:
        row = await connections.begin_push(session, connection)
        record = await session.scalar(text("SELECT record FROM outgoing"))
    assert row is not None
    fence = Fence(still.parts.db, connection, row.generation, row.forgets)
    await moved(still, connection)
    assert await forget_part(still, connection)
    with pytest.raises(Overtaken):
        await fence.doubt([Intent(record, {"name": IN_FLIGHT})])
    assert await count(still, "state = 'pending' AND sent = '{}'") == 1


async def test_a_push_that_runs_is_overtaken_by_what_has_to_be_forgotten(still: Sync) -> None:
    connection = await filled(still, rows=1)
    async with still.parts.db.write() as session:
        row = await connections.begin_push(session, connection)
        assert row is not None
        await to_forget.put(session, connection, ToForget(everything=True))
    with pytest.raises(Overtaken):
        async with Fence(still.parts.db, connection, row.generation).writing():
            pass
    async with still.parts.db.write() as session:
        assert not await connections.advance(session, connection, row.generation, "read")
