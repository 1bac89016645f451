"""What one who was there before leaves on a connection for the next one: nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tenantdb import Address, TenantDatabases, leases, names, provision
from tenantdb.cluster import Cluster
from tests.eventually import eventually
from tests.tenantdb.test_tenantdb_leases import dump_lease

ADD = "INSERT INTO record (id, module, data) VALUES (gen_random_uuid(), 'person', '{}')"
# so that the commit itself takes a while
SLOW_COMMIT = """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(20); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON record DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()"""
BUSY = "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND query ~ $2 AND state ~ $3"
Ways = Callable[..., TenantDatabases]


async def pid_of(cluster: Any, address: Address, query: str, state: str = "active") -> int:
    """The server process that is at this query by now."""
    superuser, found = await cluster.superuser(), list[int]()

    async def is_there() -> bool:
        found[:] = [
            row["pid"] for row in await superuser.fetch(BUSY, address.database, query, state)
        ]
        return bool(found)

    try:
        await eventually(is_there)
        return found[0]
    finally:
        await superuser.close()


async def add_and(databases: TenantDatabases, address: Address, then: str) -> None:
    async with databases.write(address.tenant, actor="user:cancelled") as session:
        await session.execute(ADD)
        if then == "pg_sleep":
            await session.execute("SELECT pg_sleep(20)")
        elif then == "INSERT":
            await asyncio.Event().wait()


async def cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("moment", "state"),
    [("pg_sleep", "active"), ("INSERT", "idle in transaction"), ("COMMIT", "active")],
)
async def test_a_connection_that_was_cancelled_is_not_used_again(
    address: Address, ways_in: Ways, hands: Cluster, cluster: Any, moment: str, state: str
) -> None:
    if moment == "COMMIT":
        async with hands.inside(address.database, names.owner_of(address.database)) as owner:
            await owner.execute(SLOW_COMMIT)
    databases = ways_in(address, budget=1, per_tenant=1)
    task = asyncio.create_task(add_and(databases, address, moment))
    cancelled = await pid_of(cluster, address, moment, state)
    await cancel(task)
    async with databases.write(address.tenant, actor="user:next") as session:
        assert await session.fetchval("SELECT pg_backend_pid()") != cancelled
    async with databases.read(address.tenant) as session:
        assert await session.fetchval("SELECT count(*) FROM record") == 0


async def test_a_connection_that_was_cancelled_while_it_proved_itself_is_not_used_again(
    address: Address, ways_in: Ways, hands: Cluster, cluster: Any
) -> None:
    databases = ways_in(address, budget=1, per_tenant=1)
    async with hands.inside(address.database, names.owner_of(address.database)) as owner:
        await owner.execute("LOCK TABLE tenant_identity")
        task = asyncio.create_task(add_and(databases, address, "INSERT"))
        cancelled = await pid_of(cluster, address, "tenant_identity")
        await cancel(task)
    async with asyncio.timeout(10), databases.read(address.tenant) as session:
        assert await session.fetchval("SELECT pg_backend_pid()") != cancelled


async def test_of_two_people_on_one_connection_each_has_his_own_changes(
    address: Address, ways_in: Ways
) -> None:
    databases = ways_in(address, budget=1, per_tenant=1)
    pids = set()
    for actor in ("user:a", "user:b"):
        async with databases.write(address.tenant, actor=actor) as session:
            await session.execute(ADD)
            pids.add(await session.fetchval("SELECT pg_backend_pid()"))
        row = await databases.read_row(
            address.tenant,
            "SELECT pg_backend_pid() AS id, current_setting('app.actor', true) AS actor",
        )
        assert row is not None
        assert (row["id"] in pids, row["actor"]) == (True, "")
    async with databases.read(address.tenant) as session:
        rows = await session.fetch("SELECT actor FROM journal ORDER BY seq")
    assert ([row["actor"] for row in rows], len(pids)) == (["user:a", "user:b"], 1)


async def test_everything_on_a_connection_has_a_deadline(address: Address, ways_in: Ways) -> None:
    databases = ways_in(address, statement_timeout_s=0.1)
    with pytest.raises(asyncpg.QueryCanceledError):
        async with databases.read(address.tenant) as session:
            await session.execute("SELECT pg_sleep(20)")
    databases = ways_in(address, statement_timeout_s=7)
    expected = {
        "statement_timeout": "7s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "7s",
        "transaction_timeout": "28s",
    }
    for name, value in expected.items():
        async with databases.read(address.tenant) as session:
            assert await session.fetchval("SELECT current_setting($1)", name) == value


async def test_locking_a_tenant_out_leaves_its_lease_alone(
    address: Address, hands: Cluster, login: Callable[..., Awaitable[Any]]
) -> None:
    role, password = await dump_lease(hands, address)
    lease = await login(address, user=role, password=password)
    await provision.lock_out(hands, address.database)
    assert await lease.fetchval("SELECT count(*) FROM record") == 0
    await leases.end(hands, role, address.database)
