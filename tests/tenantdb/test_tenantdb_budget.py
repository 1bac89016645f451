"""The budget: never more connections than allowed, nobody forgotten, no slot lost."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.ids import TenantId
from kit.problems import DependencyDown
from tenantdb.budget import Budget, Slot

A, B, C = (TenantId(UUID(int=number)) for number in (1, 2, 3))
Make = Callable[..., Budget]


class Opened:
    """Opens real connections and remembers how many there are and were at most."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.made: list[Any] = []
        self.most = 0

    @property
    def now(self) -> int:
        return sum(not connection.is_closed() for connection in self.made)

    async def __call__(self, _tenant: TenantId) -> Any:
        connection = await asyncpg.connect(self._url, timeout=10)
        self.made.append(connection)
        self.most = max(self.most, self.now)
        return connection


@pytest.fixture
def opened(cluster: Any) -> Opened:
    return Opened(cluster.superuser_url)


@pytest.fixture
async def budget(opened: Opened) -> AsyncIterator[Make]:
    made: list[Budget] = []

    def make(total: int = 2, per_tenant: int = 2, wait_s: float = 10) -> Budget:
        made.append(Budget(opened, total=total, per_tenant=per_tenant, wait_s=wait_s))
        return made[-1]

    yield make
    for one in made:
        await one.close()
    assert opened.now == 0, "a connection was lost"


async def taken(budget: Budget, tenant: TenantId) -> Slot:
    slot, _ = await budget.take(tenant)
    return slot


async def is_waiting(task: Awaitable[Any]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return isinstance(task, asyncio.Task) and not task.done()


async def test_an_idle_connection_is_used_again(budget: Make, opened: Opened) -> None:
    one = budget()
    for _ in range(3):
        one.give_back(await taken(one, A))
    assert len(opened.made) == 1


async def test_the_longest_unused_connection_makes_room(budget: Make, opened: Opened) -> None:
    one = budget(total=2)
    for tenant in (A, B, A):
        one.give_back(await taken(one, tenant))
    one.give_back(await taken(one, C))
    assert [connection.is_closed() for connection in opened.made] == [False, True, False]
    assert opened.most == 2


async def test_a_tenant_at_its_cap_waits_and_blocks_nobody(budget: Make) -> None:
    one = budget(total=3, per_tenant=1)
    first = await taken(one, A)
    second = asyncio.create_task(taken(one, A))
    assert await is_waiting(second)
    one.give_back(await taken(one, B))
    one.give_back(first)
    assert await second is first, "it has had no connection of its own meanwhile"
    one.give_back(first)


async def test_those_who_wait_are_served_in_order(budget: Make) -> None:
    one = budget(total=1)
    held = await taken(one, A)
    order: list[TenantId] = []

    async def use(tenant: TenantId) -> None:
        slot = await taken(one, tenant)
        order.append(tenant)
        one.give_back(slot)

    tasks = []
    for tenant in (B, C, A):
        tasks.append(asyncio.create_task(use(tenant)))
        await asyncio.sleep(0)
    one.give_back(held)
    await asyncio.gather(*tasks)
    assert order[0] == B or order == [A, B, C], "A may use its own idle connection at once"
    assert order.index(B) < order.index(C)


async def test_waiting_has_a_deadline(budget: Make) -> None:
    one = budget(total=1, wait_s=0.05)
    held = await taken(one, A)
    async with asyncio.timeout(5):
        with pytest.raises(DependencyDown):
            await one.take(B)
    one.give_back(held)
    one.give_back(await taken(one, B))


async def test_a_failed_opening_frees_its_slot(opened: Opened) -> None:
    async def fail(_tenant: TenantId) -> Any:
        raise DependencyDown

    one = Budget(fail, total=1, per_tenant=1, wait_s=1)
    for _ in range(3):
        with pytest.raises(DependencyDown):
            await one.take(A)


async def test_cancelling_at_any_moment_loses_no_slot(budget: Make, opened: Opened) -> None:
    one = budget(total=3, per_tenant=2)
    dice = random.Random(7)

    async def use(tenant: TenantId) -> None:
        slot = await taken(one, tenant)
        try:
            await asyncio.sleep(dice.random() * 0.003)
        finally:
            one.give_back(slot)

    for _ in range(40):
        tasks = [asyncio.create_task(use(dice.choice((A, B, C)))) for _ in range(12)]
        await asyncio.sleep(dice.random() * 0.02)
        for task in dice.sample(tasks, 6):
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert not any(isinstance(end, DependencyDown) for end in ends), "a slot was lost"
    slots = [await taken(one, A), await taken(one, A), await taken(one, B)]
    assert opened.most <= 3
    for slot in slots:
        one.give_back(slot)


async def test_after_draining_a_busy_connection_is_not_used_again(
    budget: Make, opened: Opened
) -> None:
    one = budget()
    slot = await taken(one, A)
    draining = asyncio.create_task(one.drain(A))
    assert await is_waiting(draining)
    one.give_back(slot)
    await draining
    one.give_back(await taken(one, A))
    assert [connection.is_closed() for connection in opened.made] == [True, False]


async def test_draining_cuts_a_connection_that_is_not_given_back(budget: Make) -> None:
    one = budget()
    slot = await taken(one, A)
    await one.drain(A, within_s=0.05)
    assert slot.connection.is_closed()
    one.give_back(slot)
