"""The journal holds every change of every table, in the transaction of the change."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts.ids import TenantId
from tenantdb import Address, TenantDatabases, TenantSession, names
from tenantdb.cluster import Cluster

ADD = "INSERT INTO record (id, module, key, data) VALUES ($1, 'person', $2, $3::text::jsonb)"
UNJOURNALLED = {"journal", "tenant_identity", "schema_migration"}


async def journalled(session: TenantSession) -> list[tuple[Any, ...]]:
    rows = await session.fetch(
        "SELECT op, pk ->> 0 AS pk, image -> 'data' ->> 'last_name' AS name FROM journal"
        " WHERE tab = 'record' ORDER BY seq"
    )
    return [tuple(row) for row in rows]


async def test_insert_update_and_delete_are_journalled_with_their_images(
    databases: TenantDatabases, address: Address
) -> None:
    one = uuid4()
    async with databases.write(address.tenant, actor="user:me") as session:
        await session.execute(ADD, one, "k", '{"last_name": "Ada"}')
        await session.execute(
            'UPDATE record SET data = \'{"last_name": "Eve"}\' WHERE id = $1', one
        )
        await session.execute("DELETE FROM record WHERE id = $1", one)
        rows = await journalled(session)
        actors = await session.fetch("SELECT DISTINCT actor FROM journal")
    assert rows == [("I", str(one), "Ada"), ("U", str(one), "Eve"), ("D", str(one), "Eve")]
    assert [row["actor"] for row in actors] == ["user:me"]


async def test_a_changed_primary_key_is_a_deletion_and_an_update(
    databases: TenantDatabases, address: Address
) -> None:
    old, new, still = uuid4(), uuid4(), uuid4()
    async with databases.write(address.tenant, actor="user:me") as session:
        await session.execute(ADD, old, "a", '{"last_name": "Ada"}')
        await session.execute(ADD, still, "b", '{"last_name": "Bo"}')
        await session.execute(
            "UPDATE record SET id = CASE WHEN id = $1 THEN $2 ELSE id END", old, new
        )
        rows = (await journalled(session))[2:]
    assert rows[0] == ("D", str(old), "Ada")
    assert sorted(rows[1:]) == sorted([("U", str(new), "Ada"), ("U", str(still), "Bo")])


async def test_an_upsert_journals_each_row_once(
    databases: TenantDatabases, address: Address
) -> None:
    upsert = (
        "INSERT INTO record (id, module, key, data) SELECT gen_random_uuid(), 'person', k, '{}'"
        " FROM unnest($1::text::text[]) k ON CONFLICT (module, key) DO UPDATE SET version = 2"
    )
    async with databases.write(address.tenant, actor="user:me") as session:
        await session.execute(upsert, "{a,b}")
        await session.execute(upsert, "{b,c}")
        rows = await session.fetch("SELECT op, image ->> 'key' AS key FROM journal ORDER BY seq")
    assert sorted(map(tuple, rows[:2])) == [("I", "a"), ("I", "b")]
    assert sorted(map(tuple, rows[2:])) == [("I", "c"), ("U", "b")]


async def test_truncate_is_journalled(hands: Cluster, address: Address) -> None:
    owner = names.owner_of(address.database)
    async with hands.inside(address.database, owner) as connection:
        await connection.execute("TRUNCATE record")
        row = await connection.fetchrow("SELECT op, tab, pk, image FROM journal")
    assert row is not None
    assert tuple(row) == ("T", "record", None, None)


async def test_a_rolled_back_change_leaves_no_journal_row(
    databases: TenantDatabases, address: Address
) -> None:
    async def fail_after_writing() -> None:
        async with databases.write(address.tenant, actor="user:me") as session:
            await session.execute(ADD, uuid4(), None, "{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_writing()
    async with databases.read(address.tenant) as session:
        assert await journalled(session) == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO journal (tab, op, pk, image) VALUES ('record', 'I', '[]', '{}')",
        "UPDATE journal SET actor = 'somebody else'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "TRUNCATE record",
        "ALTER TABLE record DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DROP TRIGGER journal_insert ON record",
        "SELECT journal_attach('tenant_identity')",
        "CREATE TABLE mine (id int)",
        "UPDATE tenant_identity SET tenant = gen_random_uuid()",
    ],
)
async def test_the_runtime_role_cannot_get_around_the_journal(
    standing: tuple[TenantDatabases, TenantId], statement: str
) -> None:
    databases, tenant = standing
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with databases.write(tenant, actor="user:me") as session:
            await session.execute(statement)


async def test_the_runtime_role_may_call_no_function_of_the_database(
    standing: tuple[TenantDatabases, TenantId],
) -> None:
    databases, tenant = standing
    async with databases.read(tenant) as session:
        callable_ = await session.fetch(
            """SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                AND has_function_privilege(oid, 'EXECUTE')"""
        )
        assert await session.fetchval("SELECT count(*) FROM pg_proc WHERE proname ~ '^journal_'")
    assert callable_ == []


async def test_every_table_is_journalled_and_has_rights_of_its_own(
    standing: tuple[TenantDatabases, TenantId],
) -> None:
    """A new table must call journal_attach and stand in grants.sql."""
    databases, tenant = standing
    async with databases.read(tenant) as session:
        tables = await session.fetch(
            """SELECT c.relname::text AS name, count(t.tgname) AS triggers,
                has_table_privilege(c.oid, 'SELECT') AS readable,
                has_table_privilege(c.oid, 'INSERT') AS writable
            FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname ~ '^journal_'
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' GROUP BY c.oid"""
        )
    assert {row["name"] for row in tables if row["triggers"] != 4} == UNJOURNALLED
    assert {row["name"] for row in tables if not row["writable"]} == UNJOURNALLED
    assert {row["name"] for row in tables if not row["readable"]} == {"schema_migration"}


@pytest.mark.parametrize("data", ["null", "[]", '"text"', "1"])
async def test_record_data_is_an_object_so_that_replay_is_exact(
    standing: tuple[TenantDatabases, TenantId], data: str
) -> None:
    databases, tenant = standing
    with pytest.raises(asyncpg.CheckViolationError):
        async with databases.write(tenant, actor="user:me") as session:
            await session.execute(ADD, uuid4(), None, data)


async def test_a_table_without_a_primary_key_cannot_be_journalled(
    hands: Cluster, address: Address
) -> None:
    async with hands.inside(address.database, names.owner_of(address.database)) as connection:
        await connection.execute("CREATE TABLE keyless (a int)")
        with pytest.raises(asyncpg.RaiseError, match="no primary key"):
            await connection.execute("SELECT journal_attach('keyless')")
