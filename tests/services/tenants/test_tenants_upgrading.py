"""A start walks the tenant databases that need something; one that is broken stops nobody else."""

import asyncio
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from contracts.ids import TenantId
from kit.timers import each_at_once
from services.tenants.__main__ import migrate_everything
from services.tenants.databases.store import directory as store
from services.tenants.settings import TenantsSettings
from tenantdb import template
from tests.services.tenants.restoring import Restore
from tests.services.tenants.running_tenants import Suite

REFUSED = (503, "/problems/tenant-not-upgraded")


NOW = template.version()


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A release whose template has one migration more; its version."""
    shutil.copytree(template.MIGRATIONS, tmp_path / "template")
    (tmp_path / "template" / "999_pre_more.sql").write_text("CREATE TABLE more ()")
    monkeypatch.setattr(template, "MIGRATIONS", tmp_path / "template")
    return 999


async def break_database(suite: Suite, tenant: UUID) -> None:
    name = await suite.name_of(tenant)
    async with suite.hands.inside(name, f"{name}_owner") as inside:
        await inside.execute("UPDATE schema_migration SET sha256 = 'of another release'")


async def digests(suite: Suite, tenant: UUID) -> list[Any]:
    name = await suite.name_of(tenant)
    async with suite.hands.inside(name, f"{name}_owner") as inside:
        return list(await inside.fetch("SELECT name, sha256 FROM schema_migration"))


async def version(suite: Suite, tenant: UUID) -> int:
    sql = "SELECT schema_version FROM tenant WHERE id = $1"
    return int(await suite.database.fetchval(sql, tenant))


async def readiness(suite: Suite) -> Any:
    transport = httpx2.ASGITransport(suite.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tenants") as http:
        return (await http.get("/readyz")).json()["checks"]["tenant databases"]


async def look(suite: Suite, tenant: TenantId) -> tuple[int, str]:
    suite.parts.provisioning._addresses.forget(tenant)
    answer = await suite.user(tenant, "GET", "/records/person")
    return answer.status_code, answer.json().get("type", "")


async def test_a_tenant_is_made_with_the_version_of_its_database(suite: Suite) -> None:
    assert await version(suite, await suite.tenant()) == template.version()


async def test_what_needs_nothing_is_not_looked_at(suite: Suite) -> None:
    """A start with many tenants that are up to date opens none of their databases."""
    tenant = await suite.tenant()
    await break_database(suite, tenant)  # looking at it would fail
    await suite.parts.upgrades.run()
    assert await look(suite, tenant) == (200, "")
    assert await readiness(suite) == "ok"


async def test_one_that_is_broken_stops_nobody_and_is_refused_told_and_tried_again(
    suite: Suite, newer: int
) -> None:
    broken, other = await suite.tenant("Broken"), await suite.tenant("Other")
    good = await digests(suite, other)
    await break_database(suite, broken)
    assert await look(suite, broken) == await look(suite, other) == REFUSED
    await suite.parts.upgrades.run()
    assert [await version(suite, one) for one in (broken, other)] == [NOW, newer]
    assert (await look(suite, broken), await look(suite, other)) == (REFUSED, (200, ""))
    assert await readiness(suite) == "1 tenant databases are not up to date: see the log"
    name = await suite.name_of(broken)
    async with suite.hands.inside(name, f"{name}_owner") as inside:
        for row in good:
            sql = "UPDATE schema_migration SET sha256 = $2 WHERE name = $1"
            await inside.execute(sql, row["name"], row["sha256"])
    await suite.parts.upgrades.run()
    assert await look(suite, broken) == (200, "")
    assert await readiness(suite) == "ok"


async def test_migrate_ends_well_while_a_tenant_is_broken(
    suite: Suite, settings: TenantsSettings, caplog: pytest.LogCaptureFixture
) -> None:
    broken = await suite.tenant()
    await break_database(suite, broken)
    await suite.database.execute("UPDATE tenant SET schema_version = 0")
    await migrate_everything(settings)
    [told] = [one for one in caplog.records if "not up to date" in one.getMessage()]
    assert (told.levelname, told.__dict__["tenants"]) == ("ERROR", [str(broken)])


async def test_code_of_before_serves_what_code_of_after_has_upgraded(suite: Suite) -> None:
    """While a release rolls out both run: a version that is higher than needed is no fault."""
    tenant = await suite.tenant()
    await suite.database.execute("UPDATE tenant SET schema_version = 1000")
    assert await look(suite, tenant) == (200, "")


async def test_a_swap_brings_the_version_that_its_database_was_prepared_for(one: Restore) -> None:
    suite, tenant = one.suite, one.tenant
    await suite.database.execute("UPDATE tenant SET schema_version = 0")
    assert (await one.swap()).status_code == 204
    assert await version(suite, tenant) == template.version()


async def test_an_upgrade_does_not_vouch_for_a_database_that_was_swapped_in_meanwhile(
    suite: Suite,
) -> None:
    tenant = await suite.tenant()
    async with suite.db.write() as session:
        await store.set_version(session, tenant, 1, 999)
    assert await version(suite, tenant) == template.version()


async def test_a_tenant_whose_swap_is_under_way_waits_for_it(suite: Suite, newer: int) -> None:
    tenant = await suite.tenant()
    sql = """INSERT INTO restore_target (tenant, restore, database, state, aside)
        VALUES ($1, $2, 'not there', 'swapping', 'neither')"""
    await suite.database.execute(sql, tenant, uuid4())
    await suite.parts.upgrades.run()
    assert await version(suite, tenant) == NOW


async def test_no_more_items_at_once_than_allowed_and_a_failed_one_holds_up_no_other() -> None:
    under_way, most, done = 0, 0, list[int]()

    async def work(item: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        if item % 5 == 0:
            raise ValueError
        done.append(item)

    failed = await each_at_once(range(50), work, "test", at_once=4)
    assert (most, sorted(failed), len(done)) == (4, list(range(0, 50, 5)), 40)
