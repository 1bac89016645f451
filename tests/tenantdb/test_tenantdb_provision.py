"""A tenant's database belongs to the tenant alone, from its first moment."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts.ids import TenantId
from tenantdb import Address, TenantDatabases, names, provision, template
from tenantdb.cluster import Cluster


async def test_everything_inside_belongs_to_the_owner_role(
    neighbours: tuple[Address, Address], cluster: Any
) -> None:
    address = neighbours[0]
    superuser = await cluster.superuser(address.database)
    owners = await superuser.fetch(
        """SELECT DISTINCT pg_get_userbyid(o) AS owner FROM (
            SELECT relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        ) x (o)"""
    )
    granted = await superuser.fetchval(
        "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'bulkhead_template_owner'::regrole"
        " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    await superuser.close()
    assert [row["owner"] for row in owners] == [names.owner_of(address.database)]
    assert granted == 0, "nothing of the template's owner is left"


async def test_the_provisioner_keeps_its_own_databases(hands: Cluster, cluster: Any) -> None:
    """REASSIGN OWNED of the provisioner's own objects would have given them away."""
    superuser = await cluster.superuser()
    owner = await superuser.fetchval(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'bulkhead_template'"
    )
    await superuser.close()
    assert owner == "bulkhead_tenants"


async def test_a_new_database_knows_its_tenant_and_has_an_empty_journal(
    standing: tuple[TenantDatabases, TenantId],
) -> None:
    databases, tenant = standing
    async with databases.read(tenant) as session:
        assert await session.fetchval("SELECT tenant FROM tenant_identity") == tenant
        modules = await session.fetch("SELECT module FROM module_definition ORDER BY module")
    assert [row["module"] for row in modules] == ["organisation", "person"]


async def test_dropping_removes_database_and_roles_and_may_be_repeated(
    hands: Cluster, cluster: Any
) -> None:
    name = names.database_name()
    await provision.create(hands, name, TenantId(uuid4()), names.verifier(names.password()))
    for _ in range(2):
        await provision.drop(hands, name)
    superuser = await cluster.superuser()
    left = await superuser.fetchval("SELECT count(*) FROM pg_roles WHERE rolname ^@ $1", name)
    await superuser.close()
    assert (left, await hands.has_database(name)) == (0, False)


async def test_a_role_that_is_locked_out_has_no_session_and_gets_none(
    address: Address, hands: Cluster, login: Any
) -> None:
    session = await login(address)
    await provision.lock_out(hands, address.database)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await session.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await login(address)
    await provision.let_in(hands, address.database)
    assert await (await login(address)).fetchval("SELECT 1") == 1


async def test_building_the_template_again_changes_nothing(hands: Cluster) -> None:
    assert await template.build(hands) == []


async def test_an_existing_database_gets_what_the_template_has_and_it_has_not(
    address: Address, hands: Cluster, databases: TenantDatabases
) -> None:
    owner = names.owner_of(address.database)
    async with hands.inside(address.database, owner) as connection:
        await connection.execute("DELETE FROM schema_migration WHERE name ~ '^002'")
        await connection.execute("DROP TABLE journal CASCADE")
        functions = await connection.fetch(
            "SELECT oid::regprocedure::text AS f FROM pg_proc WHERE proname ~ 'journal'"
        )
        for row in functions:
            await connection.execute(f"DROP FUNCTION {row['f']} CASCADE")
    assert await template.upgrade(hands, address.database, owner) == ["002_pre_journal.sql"]
    async with hands.inside(address.database) as connection:
        await provision.grant(connection, address.database)
    async with databases.read(address.tenant) as session:
        assert await session.fetchval("SELECT count(*) FROM journal") == 0


async def test_the_verifier_opens_with_its_password_and_has_one_iteration(
    neighbours: tuple[Address, Address], cluster: Any, login: Any
) -> None:
    superuser = await cluster.superuser()
    stored = await superuser.fetchval(
        "SELECT rolpassword FROM pg_authid WHERE rolname = $1", neighbours[0].database
    )
    await superuser.close()
    assert stored.startswith("SCRAM-SHA-256$1:")
    assert await (await login(neighbours[0])).fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    "name", ["postgres", "t_short", 't_"; DROP', f"t_{'a' * 26}; DROP", f"T_{'a' * 26}", ""]
)
def test_only_names_of_ours_get_into_sql(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        names.checked(name)


def test_all_made_names_fit_into_postgresql() -> None:
    name = names.database_name()
    for made in (
        name,
        names.lease_name(),
        names.target_name(name),
        names.aside_name(name),
        names.owner_of(name),
        names.reader_of(name),
    ):
        assert names.checked(made) == made
        assert len(made) <= 63
    assert len({names.database_name() for _ in range(100)}) == 100
