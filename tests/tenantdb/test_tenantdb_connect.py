"""Sessions on a tenant's database: what they allow, how they end, what happens when they break."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts.ids import TenantId
from kit.problems import DependencyDown
from tenantdb import (
    Address,
    TenantDatabaseRefused,
    TenantDatabases,
    TenantSession,
    TransactionLost,
    array,
)
from tests.eventually import eventually

ADD = "INSERT INTO record (id, module, data) VALUES (gen_random_uuid(), 'person', '{}')"
Standing = tuple[TenantDatabases, TenantId]


async def sessions_of(cluster: Any, address: Address) -> list[int]:
    superuser = await cluster.superuser()
    rows = await superuser.fetch(
        "SELECT pid FROM pg_stat_activity WHERE usename = $1", address.database
    )
    await superuser.close()
    return [row["pid"] for row in rows]


async def test_a_read_session_cannot_write(standing: Standing) -> None:
    databases, tenant = standing
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with databases.read(tenant) as session:
            await session.execute(ADD)


async def test_a_read_session_sees_one_moment(databases: TenantDatabases, address: Address) -> None:
    async with databases.read(address.tenant) as session:
        before = await session.fetchval("SELECT count(*) FROM record")
        async with databases.write(address.tenant, actor="user:a") as writer:
            await writer.execute(ADD)
        assert await session.fetchval("SELECT count(*) FROM record") == before


async def test_nothing_else_can_make_a_session() -> None:
    connection: Any = object()
    with pytest.raises(TypeError, match="TenantDatabases"):
        TenantSession(connection, TenantId(uuid4()), "write", maker=object())


async def test_an_error_that_was_swallowed_does_not_pass_for_a_commit(standing: Standing) -> None:
    databases, tenant = standing

    async def swallow() -> None:
        async with databases.write(tenant, actor="user:a") as session:
            await session.execute(ADD)
            with pytest.raises(asyncpg.DivisionByZeroError):
                await session.execute("SELECT 1 / 0")

    with pytest.raises(TransactionLost):
        await swallow()


async def test_nothing_of_a_session_is_left_for_the_next_one(standing: Standing) -> None:
    databases, tenant = standing
    async with databases.write(tenant, actor="user:a") as session:
        assert await session.fetchval("SELECT current_setting('app.actor')") == "user:a"
    async with databases.read(tenant) as session:
        assert await session.fetchval("SELECT current_setting('app.actor')") == ""


async def test_a_cancelled_statement_gives_its_slot_back(
    neighbours: tuple[Address, Address], ways_in: Callable[..., TenantDatabases]
) -> None:
    address = neighbours[0]
    databases = ways_in(address, budget=1, per_tenant=1)

    async def hang() -> None:
        async with databases.write(address.tenant, actor="user:a") as session:
            await session.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(hang())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with databases.read(address.tenant) as session:
        assert await session.fetchval("SELECT 1") == 1


async def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    address: Address, databases: TenantDatabases, cluster: Any
) -> None:
    async with databases.read(address.tenant):
        pass
    for pid in await sessions_of(cluster, address):
        await cluster.execute(f"SELECT pg_terminate_backend({pid})")
    async with databases.read(address.tenant) as session:
        assert await session.fetchval("SELECT 1") == 1


async def test_a_connection_that_dies_in_use_is_a_dependency_that_is_down(
    address: Address, databases: TenantDatabases, cluster: Any
) -> None:
    async def lose() -> None:
        async with databases.write(address.tenant, actor="user:a") as session:
            pid = await session.fetchval("SELECT pg_backend_pid()")
            await cluster.execute(f"SELECT pg_terminate_backend({pid})")
            await session.execute(ADD)

    with pytest.raises(DependencyDown):
        await lose()
    async with databases.read(address.tenant) as session:
        assert await session.fetchval("SELECT count(*) FROM record") == 0


async def test_draining_ends_idle_connections_now_and_busy_ones_soon(
    address: Address, databases: TenantDatabases, cluster: Any
) -> None:
    started = asyncio.Event()

    async def work() -> str:
        async with databases.write(address.tenant, actor="user:a") as session:
            started.set()
            await session.execute("SELECT pg_sleep(0.3)")
            return await session.execute(ADD)

    task = asyncio.create_task(work())
    await started.wait()
    async with databases.read(address.tenant):
        pass
    await databases.drain(address.tenant)
    assert await task == "INSERT 0 1", "a busy session may finish"

    async def all_gone() -> bool:
        return not await sessions_of(cluster, address)

    await eventually(all_gone)


async def test_arrays_travel_as_text(standing: Standing) -> None:
    databases, tenant = standing
    values = ["plain", 'with "quotes"', "back\\slash", "comma, {brace}", "", "NULL"]
    async with databases.read(tenant) as session:
        row = await session.fetchval("SELECT $1::text::text[]", array(values))
    assert row == values


async def test_a_server_that_is_not_there_is_a_dependency_that_is_down(
    free_port: Callable[[], int], ways_in: Callable[..., TenantDatabases]
) -> None:
    nowhere = Address(TenantId(uuid4()), "127.0.0.1", free_port(), "t_none", "x")
    with pytest.raises(DependencyDown):
        async with ways_in(nowhere).read(nowhere.tenant):
            pass


async def test_a_row_in_one_round_trip_carries_the_same_proof(
    neighbours: tuple[Address, Address], ways_in: Callable[..., TenantDatabases]
) -> None:
    address, other = neighbours
    databases = ways_in(address)
    query = "SELECT tenant AS id, $1::text AS word FROM tenant_identity WHERE $1::text = 'a'"
    row = await databases.read_row(address.tenant, query, "a")
    assert row is not None
    assert (row["id"], row["word"]) == (address.tenant, "a")
    assert await databases.read_row(address.tenant, query, "b") is None
    misled = ways_in(replace(address, tenant=other.tenant))
    with pytest.raises(TenantDatabaseRefused):
        await misled.read_row(other.tenant, query, "a")
