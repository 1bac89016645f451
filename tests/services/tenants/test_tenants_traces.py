"""The notice of a journal goes on with the trace of the last write: many become one."""

import asyncio
import json

from contracts.ids import TenantId, new_id
from kit import telemetry
from services.tenants.feed.announce import Notices
from tests.eventually import eventually
from tests.recorded import recorded
from tests.services.tenants.running_tenants import Suite
from tests.services.tenants.test_tenants_notices import WAITS

TOPIC = "tenants.journal.advanced.v1"


async def told(suite: Suite) -> list[str]:
    """The traces that the notices go on with."""
    sql = "SELECT headers FROM outbox WHERE topic = $1 ORDER BY seq"
    rows = await suite.database.fetch(sql, TOPIC)
    return [json.loads(row["headers"])["traceparent"][3:35] for row in rows]


def advance(notices: Notices, tenant: TenantId) -> str:
    with telemetry.trace("write"):
        notices.advanced(tenant)
        return telemetry.trace_id()


async def test_the_notice_of_many_writes_is_a_part_of_the_last_one(suite: Suite) -> None:
    notices, tenant = Notices(suite.db), TenantId(new_id())
    with recorded() as collector:
        traces = [advance(notices, tenant) for _ in range(3)]
        await notices.flush()
    assert await told(suite) == traces[-1:]
    assert collector.one(f"send {TOPIC}").trace == traces[-1]


async def test_a_write_that_comes_while_a_notice_fails_is_the_last_one(suite: Suite) -> None:
    notices, tenant, other = Notices(suite.db), TenantId(new_id()), TenantId(new_id())
    with recorded():
        async with suite.database.transaction():
            await suite.database.execute("LOCK TABLE outbox")
            only, _ = advance(notices, other), advance(notices, tenant)
            writing = asyncio.create_task(notices.flush())

            async def waits() -> object:
                return await suite.database.fetchval(WAITS)

            await eventually(waits)
            last = advance(notices, tenant)
            writing.cancel()
            await asyncio.wait({writing})
        await notices.flush()
    assert sorted(await told(suite)) == sorted([only, last])
