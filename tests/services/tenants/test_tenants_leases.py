"""Leases through the service: told once, ended by release, by the timer, or by a swap."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.services.tenants.restoring import Restore
from tests.services.tenants.running_tenants import Suite, dump_lease, has_role, open_lease


async def test_a_dump_lease_reads_until_it_is_released(suite: Suite) -> None:
    tenant = await suite.tenant()
    await suite.user(tenant, "POST", "/records/person", {"fields": {"last_name": "Ada"}})
    lease = await dump_lease(suite, tenant)
    connection = await open_lease(lease)
    assert await connection.fetchval("SELECT count(*) FROM record") == 1
    for _ in range(2):
        path = f"/tenants/{tenant}/leases/{lease['lease']}"
        assert (await suite.peer("backup", "DELETE", path)).status_code == 204
    assert not await has_role(suite, lease)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()


async def test_a_suspended_tenant_can_still_be_backed_up(suite: Suite) -> None:
    tenant = await suite.tenant()
    await suite.operator("POST", f"/v1/tenants/{tenant}/suspend")
    connection = await open_lease(await dump_lease(suite, tenant))
    assert await connection.fetchval("SELECT count(*) FROM record") == 0
    await connection.close()


async def test_the_timer_ends_what_was_not_released(suite: Suite) -> None:
    tenant = await suite.tenant()
    late, running = await dump_lease(suite, tenant), await dump_lease(suite, tenant)
    await suite.database.execute(
        "UPDATE lease SET ends_at = now() - interval '1 second' WHERE id = $1",
        UUID(late["lease"]),
    )
    await suite.parts.leases.end_overdue()
    assert not await has_role(suite, late)
    assert await has_role(suite, running)


async def test_the_password_is_kept_nowhere(suite: Suite) -> None:
    tenant = await suite.tenant()
    lease = await dump_lease(suite, tenant)
    row = await suite.database.fetchrow("SELECT lease::text AS all FROM lease")
    assert row is not None
    assert lease["password"] not in row["all"]


async def test_a_bad_body_grants_nothing(suite: Suite) -> None:
    for body in (
        {},
        {"purpose": "look"},
        {"purpose": "restore"},
        {"purpose": "dump", "target": "t_x"},
        {"purpose": "dump", "more": 1},
    ):
        answer = await suite.peer("backup", "POST", f"/tenants/{uuid4()}/leases", body)
        assert answer.status_code == 422, body
    assert await suite.database.fetchval("SELECT count(*) FROM lease") == 0


async def test_there_is_no_lease_on_what_is_not_there(suite: Suite) -> None:
    tenant = await suite.tenant()
    await suite.name_of(tenant)
    for path, body in (
        (f"/tenants/{uuid4()}/leases", {"purpose": "dump"}),
        (
            f"/tenants/{tenant}/leases",
            {"purpose": "restore", "target": await suite.name_of(tenant)},
        ),
        (f"/tenants/{tenant}/leases", {"purpose": "restore", "target": 'x"; DROP'}),
    ):
        assert (await suite.peer("backup", "POST", path, body)).status_code == 404
    missing = f"/tenants/{tenant}/leases/{uuid4()}"
    assert (await suite.peer("backup", "DELETE", missing)).status_code == 404


async def test_there_is_no_lease_on_a_tenant_that_is_still_being_made(suite: Suite) -> None:
    tenant = await suite.tenant()
    await suite.database.execute("UPDATE tenant SET state = 'provisioning'")
    answer = await suite.peer("backup", "POST", f"/tenants/{tenant}/leases", {"purpose": "dump"})
    assert answer.status_code == 404
    assert (await suite.operator("GET", f"/v1/tenants/{tenant}")).status_code == 404
    await suite.database.execute("UPDATE tenant SET state = 'active'")


async def test_there_is_no_lease_on_a_target_that_is_in_place(one: Restore, suite: Suite) -> None:
    await one.swap()
    body = {"purpose": "restore", "target": one.database}
    answer = await suite.peer("backup", "POST", f"/tenants/{one.tenant}/leases", body)
    assert answer.status_code == 404
