"""Following positions loses nothing and repeats nothing, however transactions interleave."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ids import TenantId
from kit import base64url
from tenantdb import Address, TenantDatabases, provision
from tenantdb import journal as feed
from tenantdb.cluster import Cluster

ADD = """INSERT INTO record (id, module, data)
    SELECT gen_random_uuid(), 'person', '{}' FROM generate_series(1, $1)"""
WRITERS, ROUNDS = 6, 25


async def write_some(databases: TenantDatabases, address: Address, dice: random.Random) -> None:
    """Take the transaction id at once, write after a pause, commit or roll back after another."""
    for _ in range(ROUNDS):
        try:
            async with databases.write(address.tenant, actor="user:writer") as session:
                await session.execute("SELECT pg_current_xact_id()")
                await session.execute("SELECT pg_sleep($1)", dice.random() * 0.01)
                await session.execute(ADD, dice.randint(1, 3))
                await session.execute("SELECT pg_sleep($1)", dice.random() * 0.01)
                await session.execute("SELECT 1 / $1::int", int(dice.random() > 0.2))
        except asyncpg.DivisionByZeroError:
            pass


async def read_all(
    databases: TenantDatabases, address: Address, start: str, done: asyncio.Event
) -> list[int]:
    """All sequence numbers in the order in which a follower of positions gets them."""
    found, position = [], start
    while True:
        ending = done.is_set()
        async with databases.read(address.tenant) as session:
            page = await feed.changes(session, position, limit=3)
        found += [change.seq for change in page.changes]
        position = page.position
        if ending and not page.more:
            return found


async def read_naively(
    databases: TenantDatabases, address: Address, done: asyncio.Event
) -> list[int]:
    """The same with `seq > last`, which design and test say is wrong."""
    found, last = [], 0
    while True:
        ending = done.is_set()
        async with databases.read(address.tenant) as session:
            rows = await session.fetch("SELECT seq FROM journal WHERE seq > $1 ORDER BY seq", last)
        found += [row["seq"] for row in rows]
        last = found[-1] if found else 0
        if ending:
            return found


async def test_a_follower_gets_every_row_once_where_a_sequence_reader_loses_some(
    address: Address, ways_in: Callable[..., TenantDatabases]
) -> None:
    databases = ways_in(address, per_tenant=WRITERS + 4)
    async with databases.read(address.tenant) as session:
        start = await feed.position_now(session)
    done = asyncio.Event()
    followers = [asyncio.create_task(read_all(databases, address, start, done)) for _ in range(2)]
    naive = asyncio.create_task(read_naively(databases, address, done))
    dice = [random.Random(seed) for seed in range(WRITERS)]
    await asyncio.gather(*(write_some(databases, address, one) for one in dice))
    done.set()
    async with databases.read(address.tenant) as session:
        rows = await session.fetch("SELECT seq FROM journal ORDER BY seq")
    expected = [row["seq"] for row in rows]
    assert len(expected) > WRITERS * ROUNDS
    for follower in followers:
        assert sorted(await follower) == expected
    assert len(await naive) < len(expected), "the stress was too weak to show the loss"


async def test_changes_of_one_row_arrive_in_their_order(
    databases: TenantDatabases, address: Address
) -> None:
    """A transaction that began first may change a row last: order by seq, never by its id."""
    one = uuid4()
    async with databases.write(address.tenant, actor="user:a") as session:
        await session.execute("INSERT INTO record VALUES ($1, 'person', 'k', '{}')", one)
    async with databases.read(address.tenant) as session:
        start = await feed.position_now(session)
    async with databases.write(address.tenant, actor="user:first") as early:
        await early.execute("SELECT pg_current_xact_id()")
        async with databases.write(address.tenant, actor="user:second") as late:
            await late.execute("UPDATE record SET version = 2 WHERE id = $1", one)
        await early.execute("UPDATE record SET version = 3 WHERE id = $1", one)
    async with databases.read(address.tenant) as session:
        page = await feed.changes(session, start, limit=1)
        rest = await feed.changes(session, page.position, limit=1)
    versions = [change.image["version"] for change in page.changes + rest.changes if change.image]
    assert (versions, page.more) == ([2, 3], True)


async def test_a_position_stays_at_its_moment_while_it_is_paged(
    databases: TenantDatabases, address: Address
) -> None:
    async with databases.read(address.tenant) as session:
        position = await feed.position_now(session)
    seen: list[int] = []
    more = True
    async with databases.write(address.tenant, actor="user:a") as session:
        await session.execute(ADD, 5)
    for _ in range(3):
        async with databases.read(address.tenant) as session:
            page = await feed.changes(session, position, limit=2)
        seen, position, more = seen + [one.seq for one in page.changes], page.position, page.more
        async with databases.write(address.tenant, actor="user:a") as session:
            await session.execute(ADD, 1)
    assert (len(seen), more) == (5, True), "written meanwhile: comes with the next difference"
    async with databases.read(address.tenant) as session:
        page = await feed.changes(session, position, limit=10)
    assert (len(page.changes), page.more) == (3, False)


async def test_only_one_table_when_asked(databases: TenantDatabases, address: Address) -> None:
    async with databases.read(address.tenant) as session:
        start = await feed.position_now(session)
    async with databases.write(address.tenant, actor="user:a") as session:
        await session.execute(ADD, 2)
        await session.execute(
            "UPDATE module_field SET label = 'E-mail address' WHERE field = 'email'"
        )
    async with databases.read(address.tenant) as session:
        page = await feed.changes(session, start, limit=10, table="record")
    assert [change.table for change in page.changes] == ["record", "record"]


async def test_a_new_chain_refuses_old_positions(
    databases: TenantDatabases, address: Address, hands: Cluster
) -> None:
    async with databases.read(address.tenant) as session:
        start = await feed.position_now(session)
    async with hands.inside(address.database) as connection:
        await provision.identify(connection, address.database, address.tenant)
    with pytest.raises(feed.ChainChanged):
        async with databases.read(address.tenant) as session:
            await feed.changes(session, start, limit=1)


async def test_a_position_of_the_future_is_another_history(
    standing: tuple[TenantDatabases, TenantId],
) -> None:
    """A server that was set back has transaction ids below those that were told before."""
    databases, tenant = standing
    async with databases.read(tenant) as session:
        chain = await session.fetchval("SELECT chain::text FROM tenant_identity")
        future = base64url.encode(f"1|{chain}|5:99999999999:||0".encode())
        with pytest.raises(feed.ChainChanged):
            await feed.changes(session, future, limit=1)


async def test_a_writer_has_no_position(standing: tuple[TenantDatabases, TenantId]) -> None:
    databases, tenant = standing
    async with databases.write(tenant, actor="user:a") as session:
        with pytest.raises(ValueError, match="read sessions"):
            await feed.position_now(session)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.text(max_size=80),
        st.from_regex(r"[0-9]{1,19}:[0-9]{1,19}:[0-9,]{0,30}", fullmatch=True).map(
            lambda snapshot: base64url.encode(f"1|{uuid4()}|{snapshot}||0".encode())
        ),
        st.from_regex(r"[0-9]{1,19}:[0-9]{1,19}:[0-9,]{0,30}", fullmatch=True).map(
            lambda snapshot: base64url.encode(f"1|CHAIN|{snapshot}|{snapshot}|7".encode())
        ),
    )
)
async def test_any_other_text_is_refused_as_a_problem(
    standing: tuple[TenantDatabases, TenantId], text: str
) -> None:
    databases, tenant = standing
    async with databases.read(tenant) as session:
        chain = await session.fetchval("SELECT chain::text FROM tenant_identity")
    with contextlib.suppress(ValueError):
        text = base64url.encode(base64url.decode(text).replace(b"CHAIN", chain.encode()))
    try:
        async with databases.read(tenant) as session:
            await feed.changes(session, text, limit=1)
    except (feed.ChainChanged, feed.PositionMalformed):
        pass
