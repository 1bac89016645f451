"""Turns: no tenant keeps the others waiting, and a connection is pushed once at a time."""

import asyncio

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.push.queue import Turns

ONE, TWO, THREE = (TenantId(new_id()) for _ in range(3))


def some(count: int) -> list[ConnectionId]:
    return [ConnectionId(new_id()) for _ in range(count)]


async def taken(turns: Turns, count: int) -> list[tuple[TenantId, ConnectionId]]:
    return [await asyncio.wait_for(turns.take(), 5) for _ in range(count)]


async def is_empty(turns: Turns) -> bool:
    """Nobody may have a turn now; asked with one that is taken back."""
    waiting = asyncio.create_task(turns.take())
    for _ in range(5):
        await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return not done


async def test_a_tenant_with_a_running_push_waits_while_others_wait() -> None:
    turns = Turns(share=2)
    for connection in some(5):
        turns.ask(ONE, connection)
    turns.ask(TWO, some(1)[0])
    turns.ask(THREE, some(1)[0])
    assert [tenant for tenant, _ in await taken(turns, 4)] == [ONE, TWO, THREE, ONE]


async def test_a_tenant_never_holds_more_than_its_share() -> None:
    turns = Turns(share=2)
    for connection in some(5):
        turns.ask(ONE, connection)
    held = await taken(turns, 2)
    assert await is_empty(turns)
    turns.ask(TWO, some(1)[0])
    assert (await taken(turns, 1))[0][0] == TWO
    turns.give_back(held[0][1])
    assert (await taken(turns, 1))[0][0] == ONE


async def test_tenants_take_turns_however_much_one_of_them_asks_for() -> None:
    turns = Turns(share=1)
    for connection in some(3):
        turns.ask(ONE, connection)
    for connection in some(2):
        turns.ask(TWO, connection)
    order = []
    for _ in range(5):
        tenant, connection = (await taken(turns, 1))[0]
        order.append(tenant)
        turns.give_back(connection)
    assert order == [ONE, TWO, ONE, TWO, ONE]


async def test_a_connection_asked_for_while_it_runs_has_one_more_turn_afterwards() -> None:
    turns, connection = Turns(share=2), some(1)[0]
    turns.ask(ONE, connection)
    await taken(turns, 1)
    for _ in range(3):
        turns.ask(ONE, connection)
    assert await is_empty(turns)
    turns.give_back(connection)
    assert await taken(turns, 1) == [(ONE, connection)]
    turns.give_back(connection)
    assert await is_empty(turns)


async def test_whoever_waits_is_told_of_a_question() -> None:
    turns, connection = Turns(share=1), some(1)[0]
    waiting = [asyncio.create_task(turns.take()) for _ in range(2)]
    await asyncio.sleep(0)
    turns.ask(ONE, connection)
    done, left = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [(ONE, connection)]
    turns.ask(TWO, connection := some(1)[0])
    assert await asyncio.wait_for(left.pop(), 5) == (TWO, connection)


async def test_slow_connections_hold_half_of_the_workers_and_their_tenant_half_of_that() -> None:
    turns = Turns(share=4)  # of eight workers
    ones, twos, threes = some(4), some(4), some(4)
    for tenant, connections in ((ONE, ones), (TWO, twos), (THREE, threes)):
        for connection in connections:
            turns.ask(tenant, connection)
    held = {connection for _, connection in await taken(turns, 8)}
    stay = [0, 0, 0]
    for number, connections in enumerate((ones, twos, threes)):
        for connection in held.intersection(connections):
            if turns.overstay(connection):
                stay[number] += 1
            else:
                turns.give_back(connection)
    assert stay == [2, 2, 0]


async def test_a_slow_connection_waits_while_slow_ones_hold_their_half_and_quick_ones_pass() -> (
    None
):
    turns = Turns(share=1)  # of two workers
    slow, other, quick = some(3)
    for tenant, connection in ((ONE, slow), (TWO, other)):
        turns.ask(tenant, connection)
    await taken(turns, 2)
    assert turns.overstay(slow)
    assert not turns.overstay(other)
    turns.ask(TWO, other)
    turns.give_back(other)
    assert await is_empty(turns)
    turns.ask(THREE, quick)
    assert await taken(turns, 1) == [(THREE, quick)]
    turns.give_back(quick)
    turns.give_back(slow)
    assert await taken(turns, 1) == [(TWO, other)]
    assert turns.overstay(other)


async def test_a_slow_connection_is_quick_again_when_a_push_of_it_was() -> None:
    turns = Turns(share=1)
    slow, other = some(2)
    for connection in (slow, other):
        turns.ask(ONE if connection == slow else TWO, connection)
    await taken(turns, 2)
    assert turns.overstay(slow)
    assert not turns.overstay(other)
    turns.give_back(other)  # it ended, but nobody knows that its CRM is quick
    turns.ask(TWO, other)
    assert await is_empty(turns)
    turns.give_back(slow)
    assert await taken(turns, 1) == [(TWO, other)]
    turns.give_back(other, was_quick=True)
    turns.ask(ONE, slow)
    turns.ask(TWO, other)
    assert len(await taken(turns, 2)) == 2
