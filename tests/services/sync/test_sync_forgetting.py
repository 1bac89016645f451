"""Forgetting: what is older than its time goes, in batches; what is younger or in use stays."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import new_id
from kit.db import Database
from kit.timers import running
from services.sync.forgetting import BATCH, CONNECTIONS, forgetting
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

_LINE = (
    "INSERT INTO ledger (id, at, tenant, connection, host, method, operation, fields, rows,"
    " request_bytes) SELECT gen_random_uuid(), now() - CAST(:age AS interval), :tenant,"
    " :connection, 'h', 'POST', 'old', '{}', 0, 0 FROM generate_series(1, :count)"
)
_ROW = (
    "INSERT INTO outgoing (connection, record, module, key, same_key, state, updated_at)"
    " SELECT :connection, gen_random_uuid(), 'organisation', 'K', 'k', :state,"
    " now() - CAST(:age AS interval) FROM generate_series(1, :count)"
)


async def run(sync: Sync, sql: str, **values: object) -> None:
    async with sync.parts.db.write() as session:
        await session.run(text(sql), values)


async def count(sync: Sync, sql: str) -> int:
    async with sync.parts.db.read() as session:
        return int(await session.scalar(text(sql)))


async def forgotten(sync: Sync, question: str) -> None:
    """Run the timer until nothing of the kind is left."""

    async def is_gone() -> bool:
        return await count(sync, question) == 0

    assert not await is_gone()
    async with running([forgetting(sync.parts.db, timedelta(days=400), 600.0)]):
        await eventually(is_gone)


async def test_the_ledger_is_kept_for_its_time_and_forgotten_in_batches(sync: Sync) -> None:
    connection = UUID(await sync.connect())
    young = await count(sync, "SELECT count(*) FROM ledger")
    given = {"tenant": sync.tenant, "connection": connection}
    await run(sync, _LINE, age=timedelta(days=401), count=2 * BATCH + 1, **given)
    await run(sync, _LINE, age=timedelta(days=399), count=2, **given)
    await forgotten(sync, "SELECT count(*) FROM ledger WHERE at < now() - interval '400 days'")
    assert await count(sync, "SELECT count(*) FROM ledger") == young + 2


async def test_rows_of_vanished_records_are_forgotten_and_others_stay(sync: Sync) -> None:
    connection = UUID(await sync.connect())

    async def has_read() -> int:
        return await count(sync, "SELECT count(*) FROM connection WHERE position IS NOT NULL")

    await eventually(has_read)  # the first page would ask for every row again
    for state, days, rows in (
        ("removed", 31, 2 * BATCH + 1),
        ("removed", 29, 2),
        ("ok", 900, 1),
        ("parked", 900, 1),
    ):
        age = timedelta(days=days)
        await run(sync, _ROW, connection=connection, state=state, age=age, count=rows)
    old = "state = 'removed' AND updated_at < now() - interval '30 days'"
    await forgotten(sync, f"SELECT count(*) FROM outgoing WHERE {old}")
    assert await count(sync, "SELECT count(*) FROM outgoing") == 4


async def test_a_removed_connection_is_forgotten_when_its_ledger_is(sync: Sync) -> None:
    first, second = await sync.connect(), await sync.connect(modules=sync.apart(1))
    await sync.http.delete(f"{sync.path}/{first}")
    await run(sync, "UPDATE connection SET updated_at = now() - interval '401 days'")
    await forgotten(sync, "SELECT count(*) FROM connection WHERE state = 'removed'")
    assert (await sync.http.get(f"{sync.path}/{first}/ledger")).status_code == 404
    assert (await sync.get(f"/{second}"))["state"] == "active"


async def test_removed_connections_go_a_few_at_a_time_with_their_runs(
    sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of them would take a million runs along, in one statement."""
    await sync.connect()
    some, forget_removed = list[int](), connections.forget_removed

    async def counted(*given: Any) -> int:
        some.append(await forget_removed(*given))
        return some[-1]

    monkeypatch.setattr(connections, "forget_removed", counted)
    gone = (
        "INSERT INTO connection (id, tenant, name, kind, state, address, modules, updated_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), '', 'dataverse', 'removed', '{}', '{}',"
        " now() - interval '900 days' FROM generate_series(1, :count)"
    )
    await run(sync, gone, count=2 * CONNECTIONS + 1)
    await forgotten(sync, "SELECT count(*) FROM connection WHERE state = 'removed'")
    assert some[:3] == [CONNECTIONS, CONNECTIONS, 1]


async def test_sync_forgets_by_itself(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    db, given = Database(sync_url), {"tenant": peer.tenant, "connection": new_id()}
    async with db.write() as session:
        await session.run(text(_LINE), {**given, "age": timedelta(days=8), "count": 1})
    await db.close()
    async with running_sync(sync_url, tmp_path, simulator, peer, ledger_keep_days=7) as sync:

        async def is_gone() -> bool:
            return await count(sync, "SELECT count(*) FROM ledger") == 0

        await eventually(is_gone)


async def test_rows_that_were_left_are_remembered_as_long_as_vanished_records(sync: Sync) -> None:
    connection = UUID(await sync.connect())
    left = (
        "INSERT INTO left_row (connection, crm_id, module, record, same_key, columns, left_at)"
        " SELECT :connection, gen_random_uuid(), 'organisation', gen_random_uuid(), 'k', '{}',"
        " now() - CAST(:age AS interval) FROM generate_series(1, :count)"
    )
    await run(sync, left, connection=connection, age=timedelta(days=31), count=BATCH + 1)
    await run(sync, left, connection=connection, age=timedelta(days=29), count=2)
    old = "left_at < now() - interval '30 days'"
    await forgotten(sync, f"SELECT count(*) FROM left_row WHERE {old}")
    assert await count(sync, "SELECT count(*) FROM left_row") == 2
