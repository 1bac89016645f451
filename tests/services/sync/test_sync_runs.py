"""Runs: what a customer sees of a push, while it is on its way and after it, whoever died."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from contracts.ids import TenantId, new_id
from kit.timers import running
from services.sync.forgetting import RUNS_MOST, forgetting
from services.sync.push.record import _WEIGHT
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm

_RESYNCED = (
    "UPDATE outgoing SET state = 'pending', not_before = now(), updated_at = now(),"
    " marked = marked + 1, sent = '{}'"
)


async def runs_of(sync: Sync, connection: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await sync.get(f"/{connection}/runs"))["runs"]
    return found


async def ended(sync: Sync, connection: str, state: str = "done") -> dict[str, Any]:
    """The newest run, once it has ended like this."""

    async def look() -> dict[str, Any] | None:
        found = await runs_of(sync, connection)
        return found[0] if found and found[0]["state"] == state else None

    await eventually(look)
    return (await runs_of(sync, connection))[0]


async def test_a_run_says_why_it_began_what_became_of_every_row_and_how_it_ended(
    sync: Sync,
) -> None:
    sync.peer.fill(9)
    sync.peer.put("BAD", name="x" * 200, sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=9, parked=1)
    run = await ended(sync, connection)
    assert run["why"] == "created"
    assert (run["due"], run["sent"], run["parked"]) == (10, 9, 1)
    assert run["seconds_left"] is None
    assert run["rows_per_s"] > 0
    assert run == await sync.get(f"/{connection}/runs/{run['id']}")


async def test_a_row_that_needs_no_call_is_counted_as_unchanged(sync: Sync) -> None:
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)
    first = await ended(sync, connection)
    sync.peer.put("K1", cik="ANOTHER")  # not chosen

    async def another() -> bool:
        return bool((await runs_of(sync, connection))[0]["id"] != first["id"])

    await eventually(another)
    run = await ended(sync, connection)
    assert (run["due"], run["sent"], run["unchanged"]) == (1, 0, 1)


async def test_a_push_that_finds_nothing_due_leaves_no_run(sync: Sync) -> None:
    connection = await sync.connect()
    looked = len(sync.peer.positions)
    await eventually(lambda: len(sync.peer.positions) > looked + 3)
    assert await runs_of(sync, connection) == []


async def test_a_run_is_seen_while_it_is_on_its_way(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(40)
    simulator.switches.latency_s = 0.6
    sizes: dict[str, Any] = {"batch_rows": 5, "batch_rows_most": 5, "parallel_batches": 1}
    async with running_sync(sync_url, tmp_path, simulator, peer, **sizes) as sync:
        connection = await sync.connect()

        async def on_its_way() -> dict[str, Any] | None:
            found = await runs_of(sync, connection)
            return found[0] if found and found[0]["sent"] else None

        await eventually(on_its_way)
        run = (await runs_of(sync, connection))[0]
        assert (run["state"], run["due"]) == ("running", 40)
        assert 0 < run["sent"] < 40
        assert run["seconds_left"] > 0
        simulator.switches.latency_s = 0.0
        assert (await ended(sync, connection))["sent"] == 40


async def test_a_record_that_falls_due_again_in_a_run_is_due_once(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """The second of two resyncs marks rows that a push between the two has sent already."""
    peer.fill(40)
    simulator.switches.latency_s = 0.3
    sizes: dict[str, Any] = {"batch_rows": 5, "parallel_batches": 1}
    async with running_sync(sync_url, tmp_path, simulator, peer, **sizes) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(simulator.records()) >= 20)
        async with sync.parts.db.write() as session:
            await session.run(text("SELECT id FROM connection FOR UPDATE"))
            await session.run(text(_RESYNCED))
        await sync.settled(connection, ok=40)
        run = await ended(sync, connection)
        assert run["sent"] >= 60
        assert run["due"] == 40


async def test_a_run_whose_process_has_died_is_ended_by_the_next_push(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(10)
    simulator.add_fault(kind="hang", path=simulator.BATCH)
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        connection = await sync.connect()
        await eventually(lambda: len(sync.batches()) > 0)
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        await sync.settled(connection, ok=10)
        await ended(sync, connection)
        assert [one["state"] for one in await runs_of(sync, connection)] == ["done", "interrupted"]


async def test_a_run_that_tells_nothing_any_more_is_ended_where_no_push_comes(sync: Sync) -> None:
    connection = await sync.connect()
    await sync.http.post(f"{sync.path}/{connection}/pause")
    await left(sync, connection, 1, age=timedelta(seconds=90), state="running", ended="NULL")
    async with running([forgetting(sync.parts.db, timedelta(days=9), push_s=30.0)]):
        await ended(sync, connection, "interrupted")


async def left(
    sync: Sync, connection: str, count: int, age: timedelta, state: str, ended: str
) -> None:
    async with sync.parts.db.write() as session:
        await session.run(
            text(
                "INSERT INTO run (id, connection, why, state, started_at, seen_at, ended_at)"
                f" SELECT gen_random_uuid(), :connection, 'sweep', :state, now(),"
                " now() - CAST(:age AS interval),"
                f" {ended} FROM generate_series(1, :count)"
            ),
            {"connection": UUID(connection), "count": count, "age": age, "state": state},
        )


async def test_a_stop_is_told_with_its_reason(sync: Sync) -> None:
    sync.peer.fill(2)
    sync.simulator.add_fault(
        kind="status", path=sync.simulator.BATCH, status=429, retry_after_s=900, body="json"
    )
    connection = await sync.connect()
    run = await ended(sync, connection, "stopped")
    assert run["reason"] == "the CRM asks us to wait"
    assert (run["due"], run["sent"]) == (2, 0)


async def test_the_same_failure_again_and_again_is_one_run(sync: Sync) -> None:
    connection = await sync.connect()
    sync.peer.down = True

    async def often() -> bool:
        found = await runs_of(sync, connection)
        return bool(found) and found[0]["times"] > 2

    await eventually(often)
    assert [one["state"] for one in await runs_of(sync, connection)] == ["failed"]
    sync.peer.down = False
    sync.peer.fill(1)
    await ended(sync, connection)
    assert [one["state"] for one in await runs_of(sync, connection)] == ["done", "failed"]


async def test_a_run_that_is_asked_for_is_followed_to_its_end_also_with_nothing_to_do(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    answer = await sync.http.post(f"{sync.path}/{connection}/runs")
    assert answer.status_code == 202
    place = answer.headers["location"]
    assert place == f"{sync.path}/{connection}/runs/{answer.json()['id']}"

    async def done() -> bool:
        return bool((await sync.http.get(place)).json()["state"] == "done")

    await eventually(done)
    run = (await sync.http.get(place)).json()
    assert (run["why"], run["due"]) == ("demand", 0)


async def test_who_asks_again_while_a_run_waits_is_told_of_the_same(sync: Sync) -> None:
    connection = await sync.connect()
    sync.simulator.add_fault(
        kind="status", path=sync.simulator.BATCH, status=429, retry_after_s=900, body="json"
    )
    sync.peer.fill(1)
    await ended(sync, connection, "stopped")
    asked = [await sync.http.post(f"{sync.path}/{connection}/runs") for _ in range(3)]
    assert {one.json()["state"] for one in asked} == {"asked"}
    assert len({one.json()["id"] for one in asked}) == 1


async def test_no_run_can_be_asked_of_a_connection_that_is_paused_or_of_another_tenant(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    await sync.http.post(f"{sync.path}/{connection}/pause")
    answer = await sync.http.post(f"{sync.path}/{connection}/runs")
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "/problems/connection-state-conflict",
    )
    await left(sync, connection, 1, timedelta(), "done", "now()")
    [run] = await runs_of(sync, connection)
    for path in (
        f"/{new_id()}/runs/{run['id']}",
        f"/{new_id()}/runs",
        f"/{connection}/runs/{new_id()}",
    ):
        assert (await sync.http.get(f"{sync.path}{path}")).status_code == 404
    person = sync.as_user(sync.tenant, "connection.run")
    assert (await person.get(f"{sync.path}/{connection}/runs")).status_code == 403
    stranger = sync.as_user(TenantId(new_id()))
    assert (await stranger.get(f"{sync.path}/{connection}/runs")).status_code == 404


async def test_pages_of_runs_hold_each_once(sync: Sync) -> None:
    connection = await sync.connect()
    await left(sync, connection, 7, timedelta(), "done", "now()")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await sync.get(f"/{connection}/runs?limit=3{cursor and f'&cursor={cursor}'}")
        seen += [one["id"] for one in page["runs"]]
        cursor = page["cursor"]
    assert (len(seen), seen) == (7, sorted(seen, reverse=True))


async def test_old_runs_and_more_than_are_kept_are_forgotten(sync: Sync) -> None:
    connection = await sync.connect()
    await left(sync, connection, 1, timedelta(), "done", "now() - interval '91 days'")
    await left(sync, connection, RUNS_MOST + 20, timedelta(), "done", "now()")

    async def kept() -> bool:
        async with sync.parts.db.read() as session:
            return bool(await session.scalar(text("SELECT count(*) FROM run")) == RUNS_MOST)

    async with running([forgetting(sync.parts.db, timedelta(days=9), push_s=30.0)]):
        await eventually(kept)


def test_a_person_outweighs_a_timer() -> None:
    assert _WEIGHT[0] == "sweep"
    assert _WEIGHT[-1] == "demand"
