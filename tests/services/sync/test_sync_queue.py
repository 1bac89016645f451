"""Turns: no tenant keeps the others waiting, and a connection is pushed once at a time."""

import asyncio

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.push.queue import PushQueue

ONE, TWO, THREE = (TenantId(new_id()) for _ in range(3))


def some(count: int) -> list[ConnectionId]:
    return [ConnectionId(new_id()) for _ in range(count)]


async def taken(queue: PushQueue, count: int) -> list[tuple[TenantId, ConnectionId]]:
    return [await asyncio.wait_for(queue.take(), 5) for _ in range(count)]


async def is_empty(queue: PushQueue) -> bool:
    """Nobody may have a turn now; asked with one that is taken back."""
    waiting = asyncio.create_task(queue.take())
    for _ in range(5):
        await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return not done


async def test_a_tenant_with_a_running_push_waits_while_others_wait() -> None:
    queue = PushQueue(share=2)
    for connection in some(5):
        queue.ask(ONE, connection)
    queue.ask(TWO, some(1)[0])
    queue.ask(THREE, some(1)[0])
    assert [tenant for tenant, _ in await taken(queue, 4)] == [ONE, TWO, THREE, ONE]


async def test_a_tenant_never_holds_more_than_its_share() -> None:
    queue = PushQueue(share=2)
    for connection in some(5):
        queue.ask(ONE, connection)
    held = await taken(queue, 2)
    assert await is_empty(queue)
    queue.ask(TWO, some(1)[0])
    assert (await taken(queue, 1))[0][0] == TWO
    queue.give_back(held[0][1])
    assert (await taken(queue, 1))[0][0] == ONE


async def test_tenants_take_turns_however_much_one_of_them_asks_for() -> None:
    queue = PushQueue(share=1)
    for connection in some(3):
        queue.ask(ONE, connection)
    for connection in some(2):
        queue.ask(TWO, connection)
    order = []
    for _ in range(5):
        tenant, connection = (await taken(queue, 1))[0]
        order.append(tenant)
        queue.give_back(connection)
    assert order == [ONE, TWO, ONE, TWO, ONE]


async def test_a_connection_asked_for_while_it_runs_has_one_more_turn_afterwards() -> None:
    queue, connection = PushQueue(share=2), some(1)[0]
    queue.ask(ONE, connection)
    await taken(queue, 1)
    for _ in range(3):
        queue.ask(ONE, connection)
    assert await is_empty(queue)
    queue.give_back(connection)
    assert await taken(queue, 1) == [(ONE, connection)]
    queue.give_back(connection)
    assert await is_empty(queue)


async def test_whoever_waits_is_told_of_a_question() -> None:
    queue, connection = PushQueue(share=1), some(1)[0]
    waiting = [asyncio.create_task(queue.take()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.ask(ONE, connection)
    done, left = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [(ONE, connection)]
    queue.ask(TWO, connection := some(1)[0])
    assert await asyncio.wait_for(left.pop(), 5) == (TWO, connection)


async def test_slow_connections_hold_half_of_the_workers_and_their_tenant_half_of_that() -> None:
    queue = PushQueue(share=4)  # of eight workers
    ones, twos, threes = some(4), some(4), some(4)
    for tenant, connections in ((ONE, ones), (TWO, twos), (THREE, threes)):
        for connection in connections:
            queue.ask(tenant, connection)
    held = {connection for _, connection in await taken(queue, 8)}
    stay = [0, 0, 0]
    for number, connections in enumerate((ones, twos, threes)):
        for connection in held.intersection(connections):
            if queue.overstay(connection):
                stay[number] += 1
            else:
                queue.give_back(connection)
    assert stay == [2, 2, 0]


async def test_a_slow_connection_waits_while_slow_ones_hold_their_half_and_quick_ones_pass() -> (
    None
):
    queue = PushQueue(share=1)  # of two workers
    slow, other, quick = some(3)
    for tenant, connection in ((ONE, slow), (TWO, other)):
        queue.ask(tenant, connection)
    await taken(queue, 2)
    assert queue.overstay(slow)
    assert not queue.overstay(other)
    queue.ask(TWO, other)
    queue.give_back(other)
    assert await is_empty(queue)
    queue.ask(THREE, quick)
    assert await taken(queue, 1) == [(THREE, quick)]
    queue.give_back(quick)
    queue.give_back(slow)
    assert await taken(queue, 1) == [(TWO, other)]
    assert queue.overstay(other)


async def test_a_slow_connection_is_quick_again_when_a_push_of_it_was() -> None:
    queue = PushQueue(share=1)
    slow, other = some(2)
    for connection in (slow, other):
        queue.ask(ONE if connection == slow else TWO, connection)
    await taken(queue, 2)
    assert queue.overstay(slow)
    assert not queue.overstay(other)
    queue.give_back(other)  # it ended, but nobody knows that its CRM is quick
    queue.ask(TWO, other)
    assert await is_empty(queue)
    queue.give_back(slow)
    assert await taken(queue, 1) == [(TWO, other)]
    queue.give_back(other, was_quick=True)
    queue.ask(ONE, slow)
    queue.ask(TWO, other)
    assert len(await taken(queue, 2)) == 2
