"""Publishing thousands of lists costs the event loop little, and each state is rendered once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import text

from gateway.edge import Edge, render_lists
from gateway.envoy import allowlist_matcher
from gateway.envoy_admin import EnvoyAdmin
from kit.db import Database
from tests.gateway.edge_parts import MakeSettings


def lists(tenants: int, ranges: int = 4, first: int = 0) -> dict[str, list[str]]:
    return {
        str(UUID(int=n)): [f"10.{n >> 8 & 255}.{n & 255}.{m}/32" for m in range(ranges)]
        for n in range(first, first + tenants)
    }


def cpu_of(work: Callable[[], object]) -> float:
    """The least of several, because others use the machine too."""
    costs = []
    for _ in range(3):
        allowlist_matcher._entry_of.cache_clear()
        begun = time.process_time()
        work()
        costs.append(time.process_time() - begun)
    return min(costs)


@pytest.fixture
async def store_of_many(
    make_settings: MakeSettings,
    service_db: Callable[[str], Awaitable[str]],
    open_db: Callable[[str], Database],
) -> tuple[Edge, Database, object]:
    """An edge without Envoy, and a store with 2,000 tenants of 64 ranges."""
    settings, db = make_settings(), open_db(await service_db("gateway"))
    insert = text("INSERT INTO allowlist (scope, ranges) VALUES (:scope, :ranges)")
    async with db.write() as session:
        await session.run(insert, {"scope": "global", "ranges": ["127.0.0.0/8"]})
        rows = [{"scope": s, "ranges": r} for s, r in lists(2000, 64).items()]
        await session.run(insert, rows)
    return Edge(settings, db, EnvoyAdmin(settings.admin_socket)), db, settings.edge_dir


def test_rendering_grows_no_faster_than_the_lists() -> None:
    small, large = lists(1000), lists(2000)
    once = cpu_of(lambda: render_lists(["127.0.0.0/8"], small))
    twice = cpu_of(lambda: render_lists(["127.0.0.0/8"], large))
    assert twice <= 2.5 * once


def test_one_changed_list_does_not_cost_all_the_others() -> None:
    many = lists(2000, 16)
    allowlist_matcher._entry_of.cache_clear()
    begun = time.process_time()
    before = render_lists(["127.0.0.0/8"], many)
    all_of_them = time.process_time() - begun
    begun = time.process_time()
    after = render_lists(["127.0.0.0/8"], many | lists(1, 17))
    assert time.process_time() - begun <= all_of_them / 3
    assert before["tenant-allow"] != after["tenant-allow"]
    allowlist_matcher._entry_of.cache_clear()
    assert render_lists(["127.0.0.0/8"], many | lists(1, 17)) == after


async def test_the_event_loop_does_little_of_the_work(
    store_of_many: tuple[Edge, Database, object],
) -> None:
    edge, _, _ = store_of_many
    allowlist_matcher._entry_of.cache_clear()
    everything, loop = time.process_time(), time.thread_time()
    await edge.publish()
    everything, loop = time.process_time() - everything, time.thread_time() - loop
    assert loop <= everything / 2


async def test_whoever_waited_for_the_same_state_renders_nothing(
    store_of_many: tuple[Edge, Database, object],
) -> None:
    edge, db, _ = store_of_many
    allowlist_matcher._entry_of.cache_clear()
    begun = time.process_time()
    await edge.publish()
    once = time.process_time() - begun
    async with db.write() as session:
        await session.run(text("UPDATE edge_revision SET revision = revision + 1"))
    allowlist_matcher._entry_of.cache_clear()
    begun = time.process_time()
    await asyncio.gather(*(edge.publish() for _ in range(30)))
    assert time.process_time() - begun <= 2.5 * once
