"""kill -9 of any one process in the middle of a sync, then its restart: nothing is lost."""

import asyncio
from typing import Any

import pytest

from ops.api import until
from ops.story.material import companies, ndjson
from ops.story.opening import sign_up
from ops.story.syncing import KEY, connect, settled

ROWS = 2_000


def rows_for(victim: str) -> list[dict[str, Any]]:
    known = companies()
    return [
        {
            "key": f"{victim}{number}",
            "fields": {"name": f"{victim} {known[number % len(known)]['name']}"},
        }
        for number in range(ROWS)
    ]


async def in_crm(stage, victim: str) -> dict[str, str]:
    found = await stage.crm.rows("accounts")
    return {row[KEY]: row["name"] for row in found if str(row[KEY]).startswith(victim)}


async def kill_and_restart(suite, victim: str) -> None:
    if victim == "rabbitmq":
        await asyncio.to_thread(suite.rabbitmq.kill)
        await asyncio.to_thread(suite.rabbitmq.start)
    elif victim == "envoy":
        await suite.envoy.kill()
        await suite.envoy.start()
    elif victim == "postgres":
        await asyncio.to_thread(suite.postgres.kill)
        await suite.postgres.start()
    else:
        suite.children[victim].kill()
        await suite.restart(victim)


@pytest.mark.parametrize(
    "victim", ["sync", "tenants", "relay", "rabbitmq", "gateway", "auth", "backup", "postgres"]
)
async def test_nothing_is_lost_when_it_is_killed_during_a_sync(suite, stage, victim):
    tenant = await sign_up(stage, victim, f"Crash test {victim}")
    connection = await connect(stage, tenant)
    rows = rows_for(victim)
    await tenant.api.call(
        "POST",
        tenant.path("records/organisation/bulk"),
        content=ndjson(rows),
        headers={"content-type": "application/x-ndjson"},
    )
    await until("the sync is under way", lambda: in_crm(stage, victim), deadline_s=60)
    await kill_and_restart(suite, victim)

    async def complete() -> bool:
        return len(await in_crm(stage, victim)) == ROWS and await settled(tenant, connection)

    await until("every row arrives", complete, deadline_s=120)
    expected = {str(row["key"]): row["fields"]["name"] for row in rows}
    assert await in_crm(stage, victim) == expected
