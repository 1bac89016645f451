"""A tenant whose database is busy delays no other's notice, and its own is not lost."""

import contextlib
import json

from tests.eventually import eventually
from tests.services.tenants.running_tenants import Suite

CONNECTIONS = 6  # of one tenant, by default


async def told(suite: Suite) -> set[str]:
    rows = await suite.database.fetch(
        "SELECT body FROM outbox WHERE topic = 'tenants.journal.advanced.v1'"
    )
    return {json.loads(row["body"])["data"]["tenant"] for row in rows}


async def test_a_busy_tenant_delays_no_other_and_is_told_later(suite: Suite) -> None:
    busy, other = await suite.tenant("Busy"), await suite.tenant("Other")
    databases, notices = suite.parts.databases, suite.parts.notices
    async with contextlib.AsyncExitStack() as held:
        for _ in range(CONNECTIONS):
            await held.enter_async_context(databases.read(busy))
        for tenant in (busy, other):
            notices.advanced(tenant)

        async def other_is_told() -> bool:
            return await told(suite) == {str(other)}

        await eventually(other_is_told, 3)

    async def both_are_told() -> bool:
        return await told(suite) == {str(busy), str(other)}

    await eventually(both_are_told, 5)


async def test_a_notice_of_a_database_that_is_away_waits_and_a_suspended_tenants_goes(
    suite: Suite,
) -> None:
    away, suspended = await suite.tenant("Away"), await suite.tenant("Suspended")
    name = await suite.name_of(away)
    await suite.database.execute(f"ALTER ROLE {name} NOLOGIN")
    await suite.operator("POST", f"/v1/tenants/{suspended}/suspend")
    notices = suite.parts.notices
    for tenant in (away, suspended):
        notices.advanced(tenant)
    await notices.flush()
    assert await told(suite) == set()
    await suite.operator("POST", f"/v1/tenants/{suspended}/resume")
    await suite.database.execute(f"ALTER ROLE {name} LOGIN")

    async def is_told() -> bool:
        return bool(await told(suite))

    await eventually(is_told, 5)
    assert await told(suite) == {str(away)}
