"""Turns: no tenant keeps the others waiting, and a connection is pushed once at a time."""

import asyncio

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.push.turns import Turns

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
