"""One item that cannot be healed holds up no other."""

from uuid import UUID, uuid4

from contracts.ids import RestoreId
from tests.services.tenants.restoring import Restore
from tests.services.tenants.running_tenants import Suite, dump_lease, has_role

BROKEN_LEASE = """INSERT INTO lease (id, tenant, purpose, role, database, ends_at)
    VALUES ('00000000-0000-7000-8000-000000000000', $1, 'dump', 'no name of ours', 'x', now())"""


async def test_a_swap_that_cannot_be_completed_holds_up_no_other(
    one: Restore, suite: Suite
) -> None:
    broken = await suite.tenant("Broken")
    sql = """INSERT INTO restore_target (tenant, restore, database, state, aside)
        VALUES ($1, $2, 'not there', 'swapping', 'neither')"""
    await suite.database.execute(sql, broken, uuid4())
    await suite.parts.restore_targets._prepare(
        await suite.parts.restore_targets._find(one.tenant, RestoreId(UUID(one.restore)))
    )
    await suite.database.execute(
        "UPDATE restore_target SET state = 'swapping', aside = $1 WHERE tenant = $2",
        f"{await suite.name_of(one.tenant)}_xaaaaaaaaaaaaa",
        one.tenant,
    )
    await suite.parts.restore_targets.resume_swaps()
    # like a swap that code of before had begun: its version is unknown until it was looked at
    assert await suite.database.fetchval("SELECT min(schema_version) FROM tenant") == 0
    await suite.parts.upgrades.run()
    assert await one.names() == ["Restored"]


async def test_an_old_database_that_cannot_be_dropped_holds_up_no_other(
    one: Restore, suite: Suite
) -> None:
    await one.swap()
    aside = (await one.target())["aside"]
    name = await suite.name_of(one.tenant)
    await suite.database.execute(
        "INSERT INTO restore_target (tenant, restore, database, state, aside, drop_aside_at)"
        " VALUES ($1, $2, 'x', 'swapped', $3, now() - interval '1 day')",
        one.tenant,
        uuid4(),
        "postgres",
    )
    await suite.database.execute(
        "UPDATE restore_target SET drop_aside_at = now() WHERE aside = $1", aside
    )
    await suite.parts.restore_targets.sweep()
    assert not await suite.hands.has_database(aside)
    assert await suite.hands.has_database(name)


async def test_a_lease_that_cannot_be_ended_holds_up_no_other(suite: Suite) -> None:
    tenant = await suite.tenant()
    await suite.database.execute(BROKEN_LEASE, tenant)
    lease = await dump_lease(suite, tenant)
    await suite.database.execute("UPDATE lease SET ends_at = now() - interval '1 second'")
    await suite.parts.leases.end_overdue()
    assert not await has_role(suite, lease)


async def test_a_making_that_cannot_be_undone_holds_up_no_other(suite: Suite) -> None:
    stuck, _ = await suite.tenant("Stuck"), await suite.tenant("Other")
    await suite.database.execute(BROKEN_LEASE, stuck)
    await suite.database.execute(
        "UPDATE tenant SET state = 'provisioning', created_at = now() - interval '1 hour'"
    )
    await suite.parts.provisioning.sweep()
    assert [row["id"] for row in await suite.database.fetch("SELECT id FROM tenant")] == [stuck]
