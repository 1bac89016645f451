"""A tenant is made whole or not at all; a suspended one is shut on every path."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from contracts.events import ConnectionRemoved
from contracts.ids import new_id
from services.tenants.__main__ import migrate_everything
from services.tenants.databases.store import directory as store
from services.tenants.settings import TenantsSettings
from tests.eventually import eventually
from tests.services.tenants.running_tenants import Suite

WAITING = """SELECT true FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND query ~ 'FOR UPDATE' AND datname = current_database()"""


async def left_in_cluster(suite: Suite) -> list[str]:
    """Databases and roles of tenants of which this directory knows nothing."""
    known = {row["database"] for row in await suite.database.fetch("SELECT database FROM tenant")}
    rows = await suite.database.fetch(
        "SELECT datname::text AS name FROM pg_database WHERE datname ^@ 't_'"
        " UNION SELECT rolname FROM pg_roles WHERE rolname ^@ 't_'"
    )
    return [row["name"] for row in rows if row["name"][:28] not in known]


async def refuse_new_databases(cluster: Any) -> None:
    await cluster.execute("ALTER ROLE bulkhead_tenants NOCREATEDB")


async def test_a_making_that_fails_half_way_leaves_nothing(suite: Suite, cluster: Any) -> None:
    before = await left_in_cluster(suite)
    await refuse_new_databases(cluster)
    try:
        answer = await suite.operator("POST", "/v1/tenants", {"name": "Acme"})
    finally:
        await cluster.execute("ALTER ROLE bulkhead_tenants CREATEDB")
    assert answer.status_code >= 500
    assert await left_in_cluster(suite) == before
    assert await suite.database.fetchval("SELECT count(*) FROM tenant") == 0
    assert await suite.topics() == []
    await suite.tenant("Acme")


async def test_a_making_that_died_is_undone_by_the_sweep(suite: Suite) -> None:
    tenant = await suite.tenant()
    before = await left_in_cluster(suite)
    await suite.database.execute(
        "UPDATE tenant SET state = 'provisioning', created_at = now() - interval '1 hour'"
    )
    assert (await suite.operator("GET", f"/v1/tenants/{tenant}")).status_code == 404
    await suite.parts.provisioning.sweep()
    assert await suite.database.fetchval("SELECT count(*) FROM tenant") == 0
    assert await left_in_cluster(suite) == before


async def test_the_sweep_leaves_a_making_that_may_still_be_running(suite: Suite) -> None:
    await suite.tenant()
    await suite.database.execute("UPDATE tenant SET state = 'provisioning'")
    await suite.parts.provisioning.sweep()
    assert await suite.database.fetchval("SELECT count(*) FROM tenant") == 1


async def test_a_making_that_was_finished_meanwhile_is_not_undone(suite: Suite) -> None:
    """The sweep has found it half made, and waits while the last step is being committed."""
    tenant = await suite.tenant()
    await suite.database.execute(
        "UPDATE tenant SET state = 'provisioning', created_at = now() - interval '1 hour'"
    )
    async with suite.db.write() as session:
        assert await store.change_state(session, tenant, ["provisioning"], "active")
        sweep = asyncio.create_task(suite.parts.provisioning.sweep())
        await eventually(lambda: suite.database.fetchval(WAITING))
    await sweep
    assert (await suite.user(tenant, "GET", "/records/person")).status_code == 200


async def test_a_cancelled_making_leaves_nothing(suite: Suite) -> None:
    before = await left_in_cluster(suite)
    for delay in (0.02, 0.1, 0.3):
        task = asyncio.create_task(suite.parts.provisioning.create("Acme"))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        async def settled() -> bool:
            rows = await suite.database.fetch("SELECT state FROM tenant")
            return all(row["state"] == "active" for row in rows)

        await eventually(settled)
        assert await left_in_cluster(suite) == before


async def test_a_suspended_tenant_is_refused_and_a_resumed_one_served(suite: Suite) -> None:
    tenant = await suite.tenant()
    assert (await suite.user(tenant, "GET", "/records/person")).status_code == 200
    for _ in range(2):
        answer = await suite.operator("POST", f"/v1/tenants/{tenant}/suspend")
        assert (answer.status_code, answer.json()["state"]) == (200, "suspended")
    refused = await suite.user(tenant, "GET", "/records/person")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/tenant-suspended")
    listed = (await suite.peer("sync", "GET", "/tenants")).json()
    assert listed == {"tenants": [{"id": str(tenant), "state": "suspended"}]}
    for _ in range(2):
        answer = await suite.operator("POST", f"/v1/tenants/{tenant}/resume")
        assert (answer.status_code, answer.json()["state"]) == (200, "active")
    assert (await suite.user(tenant, "GET", "/records/person")).status_code == 200
    events = ["created", "suspended", "resumed"]
    assert await suite.topics() == [f"tenants.tenant.{event}.v1" for event in events]


async def test_suspending_ends_sessions_in_other_processes_too(suite: Suite) -> None:
    tenant = await suite.tenant()
    address = await suite.parts.databases._lookup(tenant)
    login: Callable[[], Awaitable[Any]] = lambda: asyncpg.connect(  # noqa: E731  # said twice below
        host=address.host,
        port=address.port,
        user=address.database,
        database=address.database,
        password=address.password,
    )
    elsewhere = await login()
    await suite.operator("POST", f"/v1/tenants/{tenant}/suspend")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await elsewhere.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await login()
    elsewhere.terminate()


async def test_the_field_choice_of_a_removed_connection_goes(suite: Suite) -> None:
    tenant, connection = await suite.tenant(), new_id()
    choice = f"/field-choices/{connection}/organisation"
    await suite.register(tenant, connection, ["name"])
    chosen = await suite.user(tenant, "PUT", choice, {"fields": ["name"]})
    assert chosen.status_code == 200
    notice = ConnectionRemoved(tenant=tenant, connection=connection)
    await suite.broker.publish(notice.to_message(source="/sync"))

    async def gone() -> bool:
        return bool((await suite.user(tenant, "GET", choice)).json() == {"fields": []})

    await eventually(gone)


async def test_existing_tenants_are_brought_up_to_the_template(suite: Suite) -> None:
    tenant = await suite.tenant()
    name = await suite.name_of(tenant)
    async with suite.hands.inside(name, f"{name}_owner") as connection:
        await connection.execute("REVOKE ALL ON record FROM PUBLIC")
    await suite.database.execute("UPDATE tenant SET schema_version = 0")
    await suite.parts.upgrades.run()
    async with suite.parts.databases.read(tenant) as session:
        assert await session.fetchval("SELECT count(*) FROM record") == 0


async def test_migrating_again_changes_nothing_and_keeps_every_tenant(
    suite: Suite, settings: TenantsSettings
) -> None:
    tenant = await suite.tenant()
    await migrate_everything(settings)
    assert (await suite.user(tenant, "GET", "/records/person")).status_code == 200
