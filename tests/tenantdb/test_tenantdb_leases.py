"""Leases and restores: exactly one purpose, exactly one database, and gone afterwards."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kit import clock
from ops.local.postgres import binaries
from tenantdb import Address, TenantDatabases, journal, leases, names, swap
from tenantdb.cluster import Cluster

ADD = """INSERT INTO record (id, module, key, data)
    SELECT gen_random_uuid(), 'person', 'k' || i, '{"last_name": "x"}'
    FROM generate_series(1, 20) i"""
SOON = timedelta(minutes=10)
Login = Callable[..., Awaitable[Any]]


async def run(*command: str, password: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(binaries() / command[0]),
        *command[1:],
        env={**os.environ, "PGPASSWORD": password},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return errors.decode()


def where(address: Address, role: str, database: str) -> str:
    return f"host={address.host} port={address.port} user={role} dbname={database}"


async def dump_lease(hands: Cluster, address: Address) -> tuple[str, str]:
    role, password = names.lease_name(), names.password()
    ends_at, verifier = clock.now() + SOON, names.verifier(password)
    await leases.grant_dump(hands, role, verifier, ends_at, address.database)
    return role, password


async def restore_lease(hands: Cluster, address: Address, target: str) -> tuple[str, str]:
    role, password = names.lease_name(), names.password()
    ends_at, verifier = clock.now() + SOON, names.verifier(password)
    await leases.grant_restore(hands, role, verifier, ends_at, address.database, target)
    return role, password


async def test_a_dump_lease_reads_everything_and_writes_nothing(
    address: Address, hands: Cluster, login: Login
) -> None:
    role, password = await dump_lease(hands, address)
    lease = await login(address, user=role, password=password)
    for table in ("record", "journal", "field_choice", "tenant_identity", "schema_migration"):
        await lease.fetch(f"SELECT * FROM {table}")
    for settings in ("SELECT 1", "SET default_transaction_read_only = off"):
        await lease.execute(settings)
        with pytest.raises(
            (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)
        ):
            await lease.execute("DELETE FROM record")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await lease.execute(f"SET ROLE {address.database}")
    for catalogue in ("pg_authid", "pg_stat_activity"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await lease.fetch(f"SELECT * FROM {catalogue}")
    await leases.end(hands, role, address.database)


async def test_a_dump_lease_opens_no_other_database(
    address: Address, neighbours: tuple[Address, Address], hands: Cluster, login: Login
) -> None:
    role, password = await dump_lease(hands, address)
    for database in (neighbours[0].database, "postgres", "bulkhead_tenants"):
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await login(address, user=role, password=password, database=database)
    await leases.end(hands, role, address.database)


async def test_ending_a_lease_ends_its_sessions_and_may_be_repeated(
    address: Address, hands: Cluster, login: Login
) -> None:
    role, password = await dump_lease(hands, address)
    lease = await login(address, user=role, password=password)
    await leases.end(hands, role, address.database)
    await leases.end(hands, role, address.database)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await lease.fetchval("SELECT 1")
    with pytest.raises(asyncpg.PostgresError):
        await login(address, user=role, password=password)


async def test_a_lease_that_many_end_at_once_is_ended(
    address: Address, hands: Cluster, login: Login
) -> None:
    role, password = await dump_lease(hands, address)
    await login(address, user=role, password=password)
    await asyncio.gather(*(leases.end(hands, role, address.database) for _ in range(4)))
    with pytest.raises(asyncpg.PostgresError):
        await login(address, user=role, password=password)


async def test_a_lease_whose_time_is_over_does_not_open(
    address: Address, hands: Cluster, login: Login
) -> None:
    role, password = names.lease_name(), names.password()
    ended, verifier = clock.now() - timedelta(seconds=1), names.verifier(password)
    await leases.grant_dump(hands, role, verifier, ended, address.database)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await login(address, user=role, password=password)
    await leases.end(hands, role, address.database)


async def test_a_restore_lease_opens_its_target_only(
    address: Address, hands: Cluster, login: Login
) -> None:
    target = names.target_name(address.database)
    await swap.make_target(hands, target, address.database)
    role, password = await restore_lease(hands, address, target)
    inside = await login(address, user=role, password=password, database=target)
    assert await inside.fetchval("SELECT current_user::text") == names.owner_of(address.database)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await login(address, user=role, password=password)
    await leases.end(hands, role, target)
    await swap.drop_target(hands, target)
    await swap.drop_target(hands, target)


async def test_dump_restore_and_exchange_bring_the_records_back(
    address: Address, hands: Cluster, databases: TenantDatabases, tmp_path: Path
) -> None:
    async with databases.write(address.tenant, actor="user:a") as session:
        await session.execute(ADD)
    role, password = await dump_lease(hands, address)
    dump = str(tmp_path / "dump")
    source = where(address, role, address.database)
    await run("pg_dump", "-Fc", "-Z0", "-f", dump, "-d", source, password=password)
    await leases.end(hands, role, address.database)
    async with databases.write(address.tenant, actor="user:a") as session:
        await session.execute("DELETE FROM record")
    async with databases.read(address.tenant) as session:
        old_position = await journal.position_now(session)

    target, aside = names.target_name(address.database), names.aside_name(address.database)
    await swap.make_target(hands, target, address.database)
    await swap.make_target(hands, target, address.database)
    role, password = await restore_lease(hands, address, target)
    options = ["--exit-on-error", "--no-owner", "--no-acl"]
    there = where(address, role, target)
    await run("pg_restore", *options, "-d", there, dump, password=password)
    await leases.end(hands, role, target)
    await swap.prepare(hands, target, address.database, address.tenant)
    for _ in range(2):
        await swap.exchange(hands, address.database, target, aside)

    async with databases.write(address.tenant, actor="user:a") as session:
        assert await session.fetchval("SELECT count(*) FROM record") == 20
        await session.execute("UPDATE record SET version = version + 1 WHERE key = 'k1'")
        assert await session.fetchval("SELECT op FROM journal ORDER BY seq DESC LIMIT 1") == "U"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with databases.write(address.tenant, actor="user:a") as session:
            await session.execute("DELETE FROM journal")
    with pytest.raises(journal.ChainChanged):
        async with databases.read(address.tenant) as session:
            await journal.changes(session, old_position, limit=1)
    assert await hands.has_database(aside)
    await hands.drop_database(aside)


async def test_nobody_can_open_a_database_that_was_set_aside(
    address: Address, hands: Cluster, login: Login, cluster: Any
) -> None:
    target, aside = names.target_name(address.database), names.aside_name(address.database)
    await swap.make_target(hands, target, address.database)
    await swap.prepare(hands, target, address.database, address.tenant)
    await swap.exchange(hands, address.database, target, aside)
    superuser = await cluster.superuser()
    row = await superuser.fetchrow(
        "SELECT datallowconn, has_database_privilege($2, $1, 'CONNECT') AS may FROM pg_database"
        " WHERE datname = $1",
        aside,
        address.database,
    )
    await superuser.close()
    assert tuple(row) == (False, False)
    await hands.drop_database(aside)
