"""Sessions on a control database: who reads cannot write, who writes commits or leaves nothing."""

import asyncio

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kit.db import Database


@pytest.fixture
async def db(service_db):
    url = await service_db("auth")
    made = Database(url, size=2, statement_timeout_s=0.5)
    async with made.write() as session:
        await session.run(text("CREATE TABLE thing (n int PRIMARY KEY)"))
    yield made
    await made.close()


async def count(db: Database) -> int:
    async with db.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM thing")))


async def test_a_write_session_commits_when_its_block_ends_and_counts_rows(db):
    async with db.write() as session:
        assert await session.run(text("INSERT INTO thing SELECT generate_series(1, 3)")) == 3
        assert await count(db) == 0
    assert await count(db) == 3


async def test_a_block_that_fails_leaves_nothing(db):
    async def fail() -> None:
        async with db.write() as session:
            await session.run(text("INSERT INTO thing VALUES (1)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await count(db) == 0


async def test_a_block_that_is_cancelled_leaves_nothing(db):
    written, given_up = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with db.write() as session:
            await session.run(text("INSERT INTO thing VALUES (1)"))
            written.set()
            await given_up.wait()

    task = asyncio.create_task(write())
    await written.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await count(db) == 0


async def test_a_read_session_cannot_write(db):
    with pytest.raises(DBAPIError) as refused:
        async with db.read() as session:
            await session.all(text("INSERT INTO thing VALUES (1) RETURNING n"))
    assert (
        getattr(refused.value.orig, "sqlstate", "") == asyncpg.ReadOnlySQLTransactionError.sqlstate
    )


async def test_a_read_session_sees_one_picture(db):
    async with db.read() as session:
        before = await session.scalar(text("SELECT count(*) FROM thing"))
        async with db.write() as other:
            await other.run(text("INSERT INTO thing VALUES (1)"))
        assert await session.scalar(text("SELECT count(*) FROM thing")) == before
    assert await count(db) == 1


async def test_a_connection_that_read_can_write_next(db):
    for n in range(4):
        await count(db)
        async with db.write() as session:
            await session.run(text("INSERT INTO thing VALUES (:n)"), {"n": n})
    assert await count(db) == 4


async def test_a_statement_without_an_end_is_ended(db):
    with pytest.raises(DBAPIError) as ended:
        async with db.read() as session:
            await session.scalar(text("SELECT pg_sleep(20)"))
    assert getattr(ended.value.orig, "sqlstate", "") == asyncpg.QueryCanceledError.sqlstate


async def test_a_transaction_without_an_end_is_ended_too(db):
    both = "current_setting('statement_timeout'), current_setting('transaction_timeout')"
    async with db.read() as session:
        [row] = await session.all(text(f"SELECT {both}"))
    assert list(row.values()) == ["500ms", "5s"]


async def test_an_error_never_shows_what_was_bound(db):
    with pytest.raises(DBAPIError) as wrong:
        async with db.write() as session:
            await session.run(
                text("INSERT INTO thing VALUES (CAST(:n AS text)::int)"), {"n": "hunter2"}
            )
    assert "hunter2" not in str(wrong.value).replace(str(wrong.value.orig), "")


async def test_who_waits_for_a_connection_in_vain_is_told(db):
    async with db.read(), db.read():
        with pytest.raises(PoolTimeout):
            async with asyncio.timeout(10), db.read():
                pass


async def test_the_connections_in_use_are_seen_beside_those_that_may_be(db):
    async with db.read() as session:
        name = await session.scalar(text("SELECT current_database()"))

        def seen(which: str) -> float | None:
            sample = f"bulkhead_pool_connections_{which}"
            return REGISTRY.get_sample_value(sample, {"database": name})

        assert (seen("in_use"), seen("most")) == (1, 2)
    assert (seen("in_use"), seen("most")) == (0, 2)
