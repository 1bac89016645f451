"""How many sessions a role may have, whose member it is, and what a restore leaves of all that."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tenantdb import Address, leases, names, provision, swap, template
from tenantdb.cluster import Cluster, copy_database
from tests.tenantdb.test_tenantdb_leases import dump_lease, restore_lease

Login = Callable[..., Awaitable[Any]]
MEMBER = "SELECT pg_has_role($1, $2, $3)"
ROLE = "SELECT rolcanlogin, rolconnlimit, rolconfig FROM pg_roles WHERE rolname = $1"
MAY = "SELECT has_database_privilege($1, $2, 'CONNECT')"


@pytest.fixture
async def superuser(cluster: Any) -> AsyncIterator[Any]:
    connection = await cluster.superuser()
    yield connection
    await connection.close()


@pytest.fixture
async def target(address: Address, hands: Cluster) -> AsyncIterator[str]:
    """An empty restore target of the test's tenant; whatever becomes of it is dropped."""
    name = names.target_name(address.database)
    await swap.make_target(hands, name, address.database)
    yield name
    await swap.drop_target(hands, name)


async def exchange(address: Address, hands: Cluster, target: str) -> str:
    """The name of the database that was set aside."""
    aside = names.aside_name(address.database)
    await swap.prepare(hands, target, address.database, address.tenant)
    await swap.exchange(hands, address.database, target, aside)
    return aside


async def test_a_tenants_roles_have_bounds_and_the_provisioner_does_not_inherit_its_owner(
    neighbours: tuple[Address, Address], superuser: Any
) -> None:
    name = neighbours[0].database
    assert tuple(await superuser.fetchrow(ROLE, name)) == (True, 16, None)
    for role in (names.owner_of(name), names.reader_of(name)):
        assert (await superuser.fetchrow(ROLE, role))["rolcanlogin"] is False
    assert await superuser.fetchval(MEMBER, name, "bulkhead_tenant", "MEMBER")
    owner = names.owner_of(name)
    assert await superuser.fetchval(MEMBER, "bulkhead_tenants", owner, "SET")
    assert not await superuser.fetchval(MEMBER, "bulkhead_tenants", owner, "USAGE")


async def test_a_dump_lease_has_few_sessions_and_reads_only_from_its_start(
    address: Address, hands: Cluster, superuser: Any
) -> None:
    role, _ = await dump_lease(hands, address)
    limits = (True, 8, ["default_transaction_read_only=on"])
    assert tuple(await superuser.fetchrow(ROLE, role)) == limits
    assert await superuser.fetchval(MEMBER, role, "bulkhead_lease", "USAGE")
    for other in (names.reader_of(address.database), address.database):
        assert not await superuser.fetchval(MEMBER, role, other, "SET")
    await leases.end(hands, role, address.database)
    assert await superuser.fetchrow(ROLE, role) is None


async def test_nobody_but_a_restore_lease_opens_a_target(
    address: Address, hands: Cluster, target: str, superuser: Any
) -> None:
    role, _ = await restore_lease(hands, address, target)
    assert await superuser.fetchval(MAY, role, target)
    for other in (address.database, names.reader_of(address.database), "bulkhead_relay"):
        assert not await superuser.fetchval(MAY, other, target)
    await leases.end(hands, role, target)


async def test_a_target_is_empty_and_hardened(
    address: Address, hands: Cluster, target: str
) -> None:
    async with hands.inside(target) as connection:
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        closed = "SELECT has_table_privilege('bulkhead_tenant', 'pg_catalog.pg_roles', 'SELECT')"
        assert not await connection.fetchval(closed)
        usable = "SELECT has_schema_privilege('bulkhead_relay', 'public', 'USAGE')"
        assert not await connection.fetchval(usable)


async def test_what_a_restore_lease_makes_belongs_to_the_owner_and_outlives_the_lease(
    address: Address, hands: Cluster, target: str, login: Login
) -> None:
    role, password = await restore_lease(hands, address, target)
    inside = await login(address, user=role, password=password, database=target)
    await inside.execute("CREATE TABLE made (a int)")
    await inside.close()
    await leases.end(hands, role, target)
    async with hands.inside(target) as connection:
        owner = await connection.fetchval(
            "SELECT tableowner FROM pg_tables WHERE tablename = 'made'"
        )
    assert owner == names.owner_of(address.database)


async def test_dropping_a_target_leaves_neither_database_nor_gate(
    hands: Cluster, target: str, superuser: Any
) -> None:
    for _ in range(2):
        await swap.drop_target(hands, target)
    assert not await hands.has_database(target)
    assert await superuser.fetchrow(ROLE, target) is None


async def test_a_dump_of_an_older_release_is_brought_up_to_the_present_one(
    address: Address, hands: Cluster, target: str
) -> None:
    await swap.prepare(hands, target, address.database, address.tenant)
    owner = names.owner_of(address.database)
    assert await template.version_of(hands, target, owner) == template.version()
    async with hands.inside(target, owner) as connection:
        assert await connection.fetchval("SELECT tenant FROM tenant_identity") == address.tenant


async def test_after_an_exchange_both_roles_are_let_in_and_the_gate_is_gone(
    address: Address, hands: Cluster, target: str, login: Login, superuser: Any
) -> None:
    live = await login(address)
    aside = await exchange(address, hands, target)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await live.fetchval("SELECT 1")
    assert await superuser.fetchrow(ROLE, target) is None
    await (await login(address)).fetch("SELECT * FROM record")
    role, password = await dump_lease(hands, address)
    await (await login(address, user=role, password=password)).fetch("SELECT * FROM record")
    await leases.end(hands, role, address.database)
    await hands.drop_database(aside)


async def test_an_exchange_that_is_repeated_changes_nothing_and_opens_what_was_closed(
    address: Address, hands: Cluster, target: str, login: Login, superuser: Any
) -> None:
    aside = await exchange(address, hands, target)
    number = "SELECT oid FROM pg_database WHERE datname = $1"
    before = await superuser.fetchval(number, address.database)
    await superuser.execute(f"ALTER DATABASE {address.database} ALLOW_CONNECTIONS false")
    await swap.exchange(hands, address.database, target, aside)
    assert await superuser.fetchval(number, address.database) == before
    assert await (await login(address)).fetchval("SELECT 1") == 1
    await hands.drop_database(aside)


async def test_dropping_a_tenant_leaves_its_neighbours_roles(
    address: Address, neighbours: tuple[Address, Address], hands: Cluster, superuser: Any
) -> None:
    await provision.drop(hands, address.database)
    every = "SELECT count(*) FROM pg_roles WHERE rolname ^@ $1"
    assert await superuser.fetchval(every, address.database) == 0
    assert await superuser.fetchval(every, neighbours[0].database) == 3


async def test_a_copy_is_closed_until_it_is_settled_who_may_in(
    hands: Cluster, superuser: Any
) -> None:
    name = names.database_name()
    async with hands.admin() as admin:
        await copy_database(admin, name, template.TEMPLATE)
    state = "SELECT datallowconn, datistemplate FROM pg_database WHERE datname = $1"
    assert tuple(await superuser.fetchrow(state, name)) == (False, False)
    await hands.drop_database(name)


async def test_ending_sessions_leaves_no_rights_of_the_ended_roles(
    address: Address, hands: Cluster, login: Login, superuser: Any
) -> None:
    await login(address)
    await provision.lock_out(hands, address.database)
    assert not await superuser.fetchval(MEMBER, "bulkhead_tenants", address.database, "USAGE")
