"""Which migration a database has reached is a metric: one value, the newest."""

from collections.abc import Awaitable, Callable

from prometheus_client import REGISTRY
from sqlalchemy import text

from kit.db import Database
from kit.schema_info import showing
from kit.timers import running
from tests.eventually import eventually


def shown() -> set[str]:
    (metric,) = [one for one in REGISTRY.collect() if one.name == "bulkhead_schema_info"]
    samples = [one for one in metric.samples if one.labels["service"] == "a test"]
    assert all(one.value == 1 for one in samples)
    return {one.labels["migration"] for one in samples}


async def test_the_newest_migration_is_shown_alone_also_after_another_one(
    service_db: Callable[[str], Awaitable[str]], open_db: Callable[[str], Database]
) -> None:
    db = open_db(await service_db("gateway"))
    timer = showing(db, "a test")
    async with running([timer]):
        await eventually(lambda: shown() == {"001_pre_allowlists.sql"})
        async with db.write() as session:
            insert = "INSERT INTO schema_migration (name, sha256) VALUES ('002_post_x.sql', '')"
            await session.run(text(insert))
        timer.wake()
        await eventually(lambda: shown() == {"002_post_x.sql"})
        async with db.write() as session:
            await session.run(text("DROP TABLE schema_migration"))
        timer.wake()
        await eventually(lambda: shown() == set())
