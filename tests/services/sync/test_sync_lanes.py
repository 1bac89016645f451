"""No more batches are on their way than allowed, and none is larger than what was accepted."""

import asyncio
from pathlib import Path

import pytest

from services.sync.push.lanes import Lanes
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


async def test_work_waits_while_as_much_as_allowed_is_under_way() -> None:
    begun, let_go = list[int](), asyncio.Event()

    async def work(number: int) -> None:
        begun.append(number)
        await let_go.wait()

    async with Lanes(2) as lanes:
        for number in range(2):
            await lanes.give(work(number))
        third = asyncio.create_task(lanes.give(work(2)))
        await eventually(lambda: begun == [0, 1])
        assert not (await asyncio.wait({third}, timeout=0))[0]
        let_go.set()
        await third
        await lanes.drain()
    assert begun == [0, 1, 2]


async def test_the_first_error_ends_the_giving_and_what_is_under_way_ends_first() -> None:
    ended, let_go, failed = list[int](), asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ConnectionError("the first")

    async def work() -> None:
        await let_go.wait()
        ended.append(1)

    async def all_of_it() -> None:
        async with Lanes(2) as lanes:
            await lanes.give(work())
            await lanes.give(fail())
            await lanes.give(work())

    running = asyncio.create_task(all_of_it())
    await failed.wait()
    for _ in range(20):  # turns of the loop: enough for whoever does not wait
        await asyncio.sleep(0)
    assert not running.done()
    let_go.set()
    with pytest.raises(ConnectionError):
        await running
    assert ended == [1]


async def test_no_batch_grows_beyond_one_of_which_a_row_was_refused(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    for name in "ABCDEF":
        simulator.add_fault(
            kind="refuse_row", table=simulator.TABLE, column="name", value=name, times=None
        )
        peer.put(name, name=name)
        peer.put(f"{name} beside it", name="goes through")
    async with running_sync(
        sync_url, tmp_path, simulator, peer, batch_rows=2, batch_rows_most=8
    ) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=6, parked=6)
        assert [len(batch) for batch in sync.batches()] == [2] * 6
