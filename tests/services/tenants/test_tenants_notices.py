"""That a journal has advanced is told soon, whatever state the tenant's database is in."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from contracts.ids import TenantId, new_id
from services.tenants.feed import announce
from tests.eventually import eventually
from tests.services.tenants.running_tenants import Suite

CONNECTIONS = 6  # of one tenant, by default
TOPIC = "tenants.journal.advanced.v1"
WAITS = "SELECT true FROM pg_locks WHERE relation = 'outbox'::regclass AND NOT granted"


async def told(suite: Suite) -> list[str]:
    """The tenants that notices tell of, oldest first."""
    sql = "SELECT body FROM outbox WHERE topic = $1 ORDER BY seq"
    rows = await suite.database.fetch(sql, TOPIC)
    return [json.loads(row["body"])["data"]["tenant"] for row in rows]


async def test_a_database_that_is_busy_or_away_is_not_asked(suite: Suite) -> None:
    busy, away = await suite.tenant("Busy"), await suite.tenant("Away")
    await suite.database.execute(f"ALTER ROLE {await suite.name_of(away)} NOLOGIN")
    async with contextlib.AsyncExitStack() as held:
        for _ in range(CONNECTIONS):
            await held.enter_async_context(suite.parts.databases.read(busy))
        for tenant in (busy, away):
            suite.parts.notices.advanced(tenant)

        async def both_are_told() -> bool:
            return sorted(await told(suite)) == sorted([str(busy), str(away)])

        await eventually(both_are_told)


async def test_what_cannot_be_written_waits_and_is_written_later(suite: Suite) -> None:
    tenant = TenantId(new_id())
    await suite.database.execute("ALTER TABLE outbox RENAME TO away")
    suite.parts.notices.advanced(tenant)
    with pytest.raises(Exception, match="outbox"):
        await suite.parts.notices.flush()
    await suite.database.execute("ALTER TABLE away RENAME TO outbox")

    async def is_told() -> bool:
        return await told(suite) == [str(tenant)]

    await eventually(is_told)


async def test_the_notices_of_many_tenants_are_written_some_at_a_time(suite: Suite) -> None:
    tenants = [TenantId(new_id()) for _ in range(2 * announce._AT_ONCE + 1)]
    for tenant in tenants:
        suite.parts.notices.advanced(tenant)
    await suite.parts.notices.flush()
    assert sorted(await told(suite)) == sorted(map(str, tenants))
    together = await suite.database.fetch("SELECT count(*) FROM outbox GROUP BY xmin::text")
    assert sorted(row["count"] for row in together) == [1, announce._AT_ONCE, announce._AT_ONCE]


async def test_who_advances_while_a_notice_is_written_is_told_again(suite: Suite) -> None:
    tenant = TenantId(new_id())
    async with suite.database.transaction():
        await suite.database.execute("LOCK TABLE outbox")
        suite.parts.notices.advanced(tenant)
        writing = asyncio.create_task(suite.parts.notices.flush())

        async def waits() -> Any:
            return await suite.database.fetchval(WAITS)

        await eventually(waits)
        suite.parts.notices.advanced(tenant)
    await writing

    async def is_told_twice() -> bool:
        return await told(suite) == [str(tenant)] * 2

    await eventually(is_told_twice)


async def test_what_waits_at_the_end_is_written_then_and_an_outage_ends_nothing(
    suite: Suite,
) -> None:
    first, second = TenantId(new_id()), TenantId(new_id())
    suite.parts.notices.advanced(first)
    await suite.parts.notices.close()
    assert await told(suite) == [str(first)]
    await suite.database.execute("ALTER TABLE outbox RENAME TO away")
    suite.parts.notices.advanced(second)
    await suite.parts.notices.close()
    await suite.database.execute("ALTER TABLE away RENAME TO outbox")
