"""A tenant stores as much as it may; a volume that fills stops the largest tenant first."""

import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic import ValidationError

from contracts.ids import TenantId
from kit import clock
from kit.room import allowed
from services.tenants.databases.space import Space
from services.tenants.databases.store import targets
from services.tenants.problems import SpaceUsedUp
from services.tenants.settings import TenantsSettings
from tenantdb.cluster import Cluster as TenantCluster
from tests.services.tenants.running_tenants import Suite

ROW = {"key": "A", "fields": {"name": "a"}}
GIB = 1 << 30


def space(
    suite: Suite, *, limit: int = 1 << 40, floor: int = 1, volume: Path | None = None
) -> Space:
    made = Space(suite.db, suite.hands, limit=limit, floor=floor, volume=volume)
    suite.use(made)
    return made


async def write(suite: Suite, tenant: TenantId) -> Any:
    body = {"key": f"K{uuid4().hex}", "fields": {"name": "n"}}
    return await suite.user(tenant, "POST", "/records/organisation", body)


async def fill(suite: Suite, tenant: TenantId, rows: int = 20_000) -> None:
    async with suite.parts.databases.write(tenant, actor="user:test") as session:
        await session.execute(
            "INSERT INTO record (id, module, key, data)"
            " SELECT uuidv7(), 'organisation', 'F' || n, '{\"name\": \"filler\"}'"
            f" FROM generate_series(1, {rows}) AS n"
        )


def test_the_floor_stops_the_largest_first_and_leaves_the_limit_alone_above_it():
    assert allowed(10, largest=8, free=100, floor=100) == 10
    assert allowed(10, largest=8, free=99, floor=100) == 7
    assert allowed(10, largest=1000, free=99, floor=100) == 10
    assert allowed(1000, largest=800, free=25, floor=100) == 200
    assert allowed(1000, largest=800, free=0, floor=100) == 0


async def test_at_its_limit_a_tenant_is_refused_with_the_number_and_may_read_and_delete(
    suite: Suite,
) -> None:
    tenant, other = await suite.tenant("Full"), await suite.tenant("Other")
    records = [(await write(suite, tenant)).json() for _ in range(2)]
    sizes = await suite.hands.sizes()
    used = sizes[await suite.name_of(tenant)]
    wall = space(suite, limit=used + 1)
    await wall.measure()
    for one in (tenant, other):
        assert (await write(suite, one)).status_code == 201
    await fill(suite, tenant)
    await wall.measure()
    answer = await write(suite, tenant)
    body = answer.json()
    assert (answer.status_code, body["type"]) == (507, "/problems/space-used-up")
    assert body["used_bytes"] > body["allowed_bytes"] == used + 1
    assert str(used + 1) in body["detail"]
    first, second = records
    path = f"/records/organisation/{first['id']}"
    tag = (await suite.user(tenant, "GET", path)).headers["etag"]
    change = {"fields": {"name": "x"}}
    changed = await suite.user(tenant, "PATCH", path, change, if_match=tag)
    assert changed.status_code == 507
    assert (await suite.user(tenant, "DELETE", path, if_match=tag)).status_code == 204
    ids = {"ids": [second["id"]]}
    deleted = await suite.user(tenant, "POST", "/records/organisation/bulk-delete", ids)
    assert deleted.json()["deleted"] == 1
    assert (await write(suite, other)).status_code == 201


async def test_exactly_at_the_limit_there_is_no_room(suite: Suite) -> None:
    tenant = await suite.tenant()
    used = (await suite.hands.sizes())[await suite.name_of(tenant)]
    for limit, has_room in ((used, False), (used + 1, True)):
        wall = space(suite, limit=limit)
        await wall.measure()
        if has_room:
            wall.check(tenant)
        else:
            with pytest.raises(SpaceUsedUp):
                wall.check(tenant)


async def test_what_comes_in_between_two_looks_is_counted(suite: Suite) -> None:
    tenant = await suite.tenant()
    wall = space(suite, limit=GIB)
    await wall.measure()
    wall.check(tenant, GIB)
    with pytest.raises(SpaceUsedUp):
        wall.check(tenant)
    await wall.measure()
    wall.check(tenant)


async def test_databases_set_aside_and_targets_count_for_their_tenant(suite: Suite) -> None:
    tenant = await suite.tenant()
    before = (await suite.hands.sizes())[await suite.name_of(tenant)]
    path, body = f"/tenants/{tenant}/restore-targets", {"restore": str(uuid4())}
    target = (await suite.peer("backup", "POST", path, body)).json()["database"]
    sizes = await suite.hands.sizes()
    assert sizes[await suite.name_of(tenant)] > before * 1.5
    assert target not in sizes
    await suite.peer("backup", "DELETE", f"{path}/{target}")
    await suite.hands.drop_database(target)
    await suite.hands.drop_roles(target)


async def test_under_the_floor_the_largest_tenant_stops_and_the_others_write_on(
    suite: Suite, tmp_path: Path
) -> None:
    large, small = await suite.tenant("Large"), await suite.tenant("Small")
    await fill(suite, large, 60_000)
    free = shutil.disk_usage(tmp_path).free
    wall = space(suite, floor=int(free * 1.1), volume=tmp_path)
    await wall.measure()
    assert (await write(suite, large)).status_code == 507
    assert (await write(suite, small)).status_code == 201


async def test_where_the_volume_is_not_seen_its_size_and_what_is_stored_tell_what_is_free(
    suite: Suite, cluster: Any
) -> None:
    large, small = await suite.tenant("Large"), await suite.tenant("Small")
    await fill(suite, large, 60_000)
    hands = TenantCluster(cluster.url("tenants"))  # where the bootstrap has made the function
    stored = await hands.stored()
    for free, status in ((2 * GIB, 201), (GIB * 9 // 10, 507)):
        wall = Space(suite.db, hands, limit=1 << 40, floor=GIB, volume=stored + free)
        suite.use(wall)
        await wall.measure()
        assert (await write(suite, large)).status_code == status
    assert (await write(suite, large)).status_code == 507
    assert (await write(suite, small)).status_code == 201


async def test_what_is_stored_counts_all_databases_and_the_log(
    cluster: Any,
) -> None:
    """The provisioner learns one number, and has none of the rights that it takes."""
    hands = TenantCluster(cluster.url("tenants"))
    server = await cluster.superuser()
    try:
        databases = await server.fetchval("SELECT sum(pg_database_size(oid)) FROM pg_database")
        wal = await server.fetchval("SELECT sum(size) FROM pg_ls_waldir()")
    finally:
        await server.close()
    assert await hands.stored() > (databases + wal) * 9 // 10
    async with hands.admin() as admin:
        for denied in ("pg_ls_waldir()", "pg_database_size('bulkhead_auth')"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await admin.fetch(f"SELECT * FROM {denied}")


async def test_the_volume_is_told_in_one_way_and_a_folder_that_is_there(
    settings: TenantsSettings, tmp_path: Path
) -> None:
    """A floor that nobody measures is none: refused at the start, not found out when it is full."""
    given = settings.model_dump()
    TenantsSettings(**given | {"data_volume": tmp_path})
    for wrong in (
        {"data_volume": tmp_path, "data_volume_bytes": 1},
        {"data_volume": tmp_path / "absent"},
        {"data_volume_bytes": 0},
    ):
        with pytest.raises(ValidationError):
            TenantsSettings(**given | wrong)


async def test_at_most_two_databases_are_set_aside_and_the_newest_stay(suite: Suite) -> None:
    tenant = await suite.tenant()
    sql = """INSERT INTO restore_target (tenant, restore, database, state, aside, drop_aside_at)
        VALUES ($1, $2, $3, 'swapped', $4, now() + $5 * interval '1 day')"""
    for day in (3, 1, 2):
        await suite.database.execute(sql, tenant, uuid4(), f"d{day}", f"aside{day}", day)
    async with suite.db.write() as session:
        assert await targets.surplus_asides(session, tenant, clock.now(), 2) == ["aside1"]
    rows = await suite.database.fetch(
        "SELECT aside FROM restore_target WHERE drop_aside_at > now()"
    )
    assert {row["aside"] for row in rows} == {"aside2", "aside3"}
