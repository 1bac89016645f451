"""What a tenant's own login can do against its neighbour: every row of the isolation table.

A and B are real logins on real databases; the attacks are made by A.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from contracts.ids import TenantId
from tenantdb import Address, TenantDatabaseRefused, TenantDatabases, names
from tenantdb.cluster import Cluster

Login = Callable[..., Awaitable[Any]]
Neighbours = tuple[Address, Address]
REFUSED_AT_THE_DOOR = asyncpg.InvalidAuthorizationSpecificationError


@pytest.mark.parametrize(
    "database",
    ["B", "postgres", "template1", "bulkhead_template", "bulkhead_empty", "bulkhead_tenants"],
)
async def test_no_other_database_opens(neighbours: Neighbours, login: Login, database: str) -> None:
    a, b = neighbours
    with pytest.raises(REFUSED_AT_THE_DOOR, match="pg_hba"):
        await login(a, database=b.database if database == "B" else database)


async def test_connect_granted_by_mistake_is_still_refused_by_pg_hba(
    neighbours: Neighbours, login: Login, cluster: Any
) -> None:
    a, b = neighbours
    await cluster.execute(f"GRANT CONNECT ON DATABASE {b.database} TO {a.database}")
    with pytest.raises(REFUSED_AT_THE_DOOR, match="pg_hba"):
        await login(a, database=b.database)
    await cluster.execute(f"REVOKE CONNECT ON DATABASE {b.database} FROM {a.database}")


@pytest.mark.parametrize("database", ["B", "postgres", "template1", "bulkhead_tenants"])
async def test_connect_is_revoked_as_well(
    neighbours: Neighbours, cluster: Any, database: str
) -> None:
    """The lock that holds where pg_hba is not ours: no right to connect, temporary or create."""
    a, b = neighbours
    superuser = await cluster.superuser()
    name = b.database if database == "B" else database
    for right in ("CONNECT", "TEMPORARY", "CREATE"):
        assert not await superuser.fetchval(
            "SELECT has_database_privilege($1, $2, $3)", a.database, name, right
        )
    await superuser.close()


async def test_another_password_does_not_open(neighbours: Neighbours, login: Login) -> None:
    a, b = neighbours
    with pytest.raises(asyncpg.InvalidPasswordError):
        await login(a, password=b.password)


@pytest.mark.parametrize("suffix", ["owner", "reader"])
async def test_owner_and_reader_roles_cannot_log_in(
    neighbours: Neighbours, login: Login, suffix: str
) -> None:
    a, _ = neighbours
    with pytest.raises(REFUSED_AT_THE_DOOR):
        await login(a, user=f"{a.database}_{suffix}")


@pytest.mark.parametrize(
    "relation",
    [
        "pg_authid", "pg_shadow", "pg_hba_file_rules", "pg_database", "pg_roles", "pg_user",
        "pg_group", "pg_auth_members", "pg_db_role_setting", "pg_shdescription", "pg_shdepend",
        "pg_locks", "pg_stat_activity", "pg_stat_database", "pg_stat_ssl", "pg_stat_gssapi",
        "pg_stat_replication", "pg_stat_io", "pg_stat_wal", "pg_stat_progress_vacuum",
        "pg_stat_subscription", "pg_tablespace", "pg_replication_slots", "pg_prepared_xacts",
        "pg_file_settings", "pg_parameter_acl", "pg_shseclabel",
    ],
)  # fmt: skip
async def test_catalogues_of_the_cluster_are_closed(
    neighbours: Neighbours, login: Login, relation: str
) -> None:
    connection = await login(neighbours[0])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch(f"SELECT * FROM pg_catalog.{relation}")


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE {b}",
        "SET ROLE {b}_owner",
        "SET ROLE {a}_owner",
        "SET ROLE bulkhead_tenants",
        "SET SESSION AUTHORIZATION {b}",
        "GRANT {b} TO {a}",
        "ALTER ROLE {b} PASSWORD 'x'",
        "ALTER ROLE {a} CREATEDB",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "ALTER DATABASE {b} RENAME TO mine",
        "DROP DATABASE {b}",
        "COPY record TO PROGRAM 'cat'",
        "COPY record TO '/tmp/stolen'",
        "COPY record FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_notify('outbox', '')",
        "SELECT * FROM pg_stat_get_activity(NULL)",
        "SELECT * FROM pg_lock_status()",
        "SELECT pg_database_size('{b}')",
        "SELECT pg_stat_get_db_numbackends(1)",
        "SELECT pg_stat_get_backend_userid(1)",
        "SELECT pg_stat_reset()",
        "SELECT system_identifier FROM pg_control_system()",
        "SELECT pg_reload_conf()",
        "SELECT pg_current_logfile()",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION postgres_fdw",
        "CREATE SCHEMA mine",
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMP TABLE mine (a int)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SUBSCRIPTION mine CONNECTION 'x' PUBLICATION y WITH (connect = false)",
        "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION f()",
        "SET session_replication_role = replica",
        "SET log_statement = 'all'",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "LOAD 'plpgsql'",
        "SELECT * FROM schema_migration",
    ],
)  # fmt: skip
async def test_the_attack_is_refused(neighbours: Neighbours, login: Login, statement: str) -> None:
    a, b = neighbours
    connection = await login(a)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement.format(a=a.database, b=b.database))


async def test_a_neighbours_session_cannot_be_ended(neighbours: Neighbours, login: Login) -> None:
    a, b = neighbours
    attacker, victim = await login(a), await login(b)
    pid = victim.get_server_pid()
    for function in ("pg_terminate_backend", "pg_cancel_backend"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await attacker.fetchval(f"SELECT {function}($1)", pid)
    assert await victim.fetchval("SELECT 1") == 1


async def test_the_right_login_on_a_database_of_another_tenant_is_refused_at_checkout(
    neighbours: Neighbours, ways_in: Callable[..., TenantDatabases]
) -> None:
    """The third lock: the directory says A, the database it points to says B."""
    a, b = neighbours
    mixed_up = replace(b, tenant=a.tenant)
    with pytest.raises(TenantDatabaseRefused):
        async with ways_in(mixed_up).read(a.tenant):
            pass


async def test_a_database_without_identity_is_refused_at_checkout(
    address: Address, hands: Cluster, ways_in: Callable[..., TenantDatabases]
) -> None:
    async with hands.inside(address.database, names.owner_of(address.database)) as connection:
        await connection.execute("DELETE FROM tenant_identity")
    with pytest.raises(TenantDatabaseRefused):
        async with ways_in(address).read(address.tenant):
            pass


async def test_the_provisioner_is_no_superuser_and_reads_no_password(
    cluster: Any, neighbours: Neighbours
) -> None:
    provisioner = await asyncpg.connect(cluster.url("tenants"))
    assert await provisioner.fetchval("SELECT current_setting('is_superuser')") == "off"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await provisioner.fetch("SELECT * FROM pg_authid")
    await provisioner.close()


async def test_information_schema_and_own_tables_still_work(
    neighbours: Neighbours, login: Login
) -> None:
    connection = await login(neighbours[0])
    assert await connection.fetchval("SELECT count(*) FROM information_schema.tables") > 0
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname='public'") > 5
    assert await connection.fetchval("SELECT count(*) FROM record") == 0


def test_tenant_ids_are_not_names(neighbours: Neighbours) -> None:
    for address in neighbours:
        assert TenantId(address.tenant).hex not in address.database
        assert address.password not in repr(address)
