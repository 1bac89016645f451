"""What the client of tenants promises, on the real service and on every stand-in for it.

A stand-in that drifts from the service would have the tests of its users pass for nothing.
"""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.clients import ChangedRecord, Lease, PresentRecords, TenantsClient
from contracts.ids import ConnectionId, LeaseId, RestoreId, TenantId, new_id
from kit.problems import Conflict, NotFound
from tenantdb import template
from tenantdb.cluster import Cluster
from tests.services.tenants.client_stages import played


@played("list")
async def test_a_tenant_is_listed_as_active(stage: Any) -> None:
    tenant = await stage.tenant()
    assert [(one.id, one.state) for one in await stage.tenants()] == [(tenant, "active")]


@played("states")
async def test_a_suspended_tenant_is_listed_as_that(stage: Any) -> None:
    tenant = await stage.tenant()
    await stage.suspend(tenant)
    assert [(one.id, one.state) for one in await stage.tenants()] == [(tenant, "suspended")]


class Reader:
    """Follows the feed of a connection."""

    def __init__(self, client: TenantsClient, tenant: TenantId, limit: int = 500) -> None:
        self.client, self.tenant, self.limit = client, tenant, limit
        self.connection = ConnectionId(new_id())
        self.position: str | None = None
        self.resets = 0

    async def catch_up(self) -> list[ChangedRecord]:
        rows, more = list[ChangedRecord](), True
        while more:
            page = await self.client.changes(
                self.tenant, self.connection, self.position, self.limit
            )
            assert len(page.rows) <= self.limit
            rows, more, self.position = rows + page.rows, page.more, page.position
            self.resets += page.reset
        return rows

    async def values(self, *ids: UUID) -> dict[str | None, dict[str, Any]]:
        return {one.key: one.fields for one in (await self._read(*ids)).rows}

    async def is_chosen(self, *ids: UUID) -> bool:
        return (await self._read(*ids)).chosen

    async def map(self, **modules: list[str]) -> None:
        await self.client.register(self.tenant, self.connection, modules)

    async def _read(self, *ids: UUID) -> PresentRecords:
        return await self.client.read_records(self.tenant, self.connection, "organisation", ids)


@played("feed")
async def test_a_new_reader_gets_all_records_then_what_changes(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection, "name")
    first, _ = [await stage.put(reader.tenant, key, name=key) for key in ("A", "B")]
    assert {(one.key, one.op, one.version) for one in await reader.catch_up()} == {
        ("A", "upsert", 1),
        ("B", "upsert", 1),
    }
    assert (await reader.catch_up(), reader.resets) == ([], 1)
    await stage.put(reader.tenant, "A", name="another")
    await stage.put(reader.tenant, "A", sector="IT")
    [changed] = await reader.catch_up()
    assert (changed.id, changed.module, changed.version) == (first, "organisation", 3)
    await stage.delete(reader.tenant, first)
    assert [(one.key, one.op) for one in await reader.catch_up()] == [("A", "delete")]
    assert reader.resets == 1


@played("feed")
async def test_small_pages_show_every_record_once(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant(), limit=2)
    await stage.choose(reader.tenant, reader.connection, "name")
    for number in range(5):
        await stage.put(reader.tenant, f"K{number}", name="x")
    expected = [f"K{number}" for number in range(5)]
    assert sorted(str(one.key) for one in await reader.catch_up()) == expected
    for number in range(5):
        await stage.put(reader.tenant, f"K{number}", name="y")
    assert [one.key for one in await reader.catch_up()] == expected


@played("feed")
async def test_only_chosen_values_are_read_and_what_has_none_is_null(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection, "name", "founded")
    record = await stage.put(reader.tenant, "A", name="a", sector="IT")
    assert await reader.values(record, new_id()) == {"A": {"name": "a", "founded": None}}
    await stage.delete(reader.tenant, record)
    assert await reader.values(record) == {}


@played("feed")
async def test_without_a_choice_nothing_is_seen(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection)
    record = await stage.put(reader.tenant, "A", name="a")
    assert await reader.catch_up() == []
    assert await reader.values(record) == {}
    await stage.delete(reader.tenant, record)
    assert await reader.catch_up() == []


@played("feed")
async def test_another_choice_starts_the_feed_over_and_the_same_one_does_not(stage: Any) -> None:
    reader = Reader(stage.client("sync"), await stage.tenant())
    await stage.choose(reader.tenant, reader.connection, "name")
    await stage.put(reader.tenant, "A", name="a")
    await reader.catch_up()
    await stage.choose(reader.tenant, reader.connection, "name")
    assert (await reader.catch_up(), reader.resets) == ([], 1)
    await stage.choose(reader.tenant, reader.connection, "name", "sector")
    assert [one.key for one in await reader.catch_up()] == ["A"]
    assert reader.resets == 2


@played("feed")
async def test_a_tenant_that_is_not_there_has_no_feed(stage: Any) -> None:
    reader = Reader(stage.client("sync"), TenantId(new_id()))
    with pytest.raises(NotFound):
        await reader.catch_up()
    with pytest.raises(NotFound):
        await reader.values(new_id())
    with pytest.raises(NotFound):
        await reader.map(organisation=["name"])
    with pytest.raises(NotFound):
        await reader.client.unregister(reader.tenant, reader.connection)


async def run(lease: Lease, sql: str) -> Any:
    """SQL in the leased database."""
    connection = await asyncpg.connect(
        host=lease.host,
        port=lease.port,
        database=lease.database,
        user=lease.user,
        password=lease.password.get_secret_value(),
        timeout=10,
    )
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@played("databases")
async def test_a_dump_lease_reads_until_it_is_released(stage: Any) -> None:
    client, tenant = stage.client("backup"), await stage.tenant()
    lease = await client.lease(tenant, "dump")
    assert lease.password.get_secret_value() not in repr(lease)
    assert await run(lease, "SELECT tenant FROM tenant_identity") == tenant
    with pytest.raises(asyncpg.PostgresError):
        await run(lease, "DELETE FROM record")
    for _ in range(2):
        await client.release(tenant, lease.lease)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await run(lease, "SELECT 1")


@played("databases")
async def test_what_is_not_there_is_not_leased_released_or_swapped(stage: Any) -> None:
    client, tenant = stage.client("backup"), await stage.tenant()
    nobody, restore = TenantId(new_id()), RestoreId(new_id())
    with pytest.raises(NotFound):
        await client.lease(nobody, "dump")
    with pytest.raises(NotFound):
        await client.lease(tenant, "restore", "t_not_there")
    with pytest.raises(NotFound):
        await client.release(tenant, LeaseId(new_id()))
    with pytest.raises(NotFound):
        await client.restore_target(nobody, restore)
    with pytest.raises(NotFound):
        await client.swap(tenant, restore, "t_not_there")
    await client.drop_restore_target(tenant, "t_not_there")


@played("databases")
async def test_a_restore_has_one_target_and_its_lease_writes_there(stage: Any) -> None:
    client, tenant, restore = stage.client("backup"), await stage.tenant(), RestoreId(new_id())
    database = await client.restore_target(tenant, restore)
    assert await client.restore_target(tenant, restore) == database
    lease = await client.lease(tenant, "restore", database)
    assert lease.database == database
    await run(lease, "CREATE TABLE made ()")
    await client.release(tenant, lease.lease)
    for _ in range(2):
        await client.drop_restore_target(tenant, database)
    with pytest.raises(NotFound):
        await client.lease(tenant, "restore", database)


@played("databases")
async def test_a_swap_may_be_repeated_and_ends_the_target(stage: Any, cluster: Any) -> None:
    client, tenant, restore = stage.client("backup"), await stage.tenant(), RestoreId(new_id())
    database = await client.restore_target(tenant, restore)
    lease = await client.lease(tenant, "dump")
    await template.upgrade(Cluster(cluster.url("tenants")), database, lease.owner)
    with pytest.raises(NotFound):
        await client.swap(tenant, restore, "t_another")
    await client.release(tenant, lease.lease)
    for _ in range(2):
        await client.swap(tenant, restore, database)
    with pytest.raises(Conflict):
        await client.restore_target(tenant, restore)
    with pytest.raises(Conflict):
        await client.drop_restore_target(tenant, database)
