"""The push when the CRM sets it back: nothing is lost, repeated or hammered."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prometheus_client import REGISTRY

from contracts.ids import ConnectionId, new_id
from kit import clock
from sandbox.dataverse import Limits
from sandbox.dataverse.tokens import Secret
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


async def test_a_lost_reply_duplicates_nothing(sync: Sync) -> None:
    sync.peer.fill(10)
    sync.simulator.add_fault(kind="lost_reply", path=sync.simulator.BATCH)
    sync.simulator.add_fault(kind="half_reply", path=sync.simulator.BATCH)
    connection = await sync.connect()
    await sync.settled(connection, ok=10)
    assert sorted(len(batch) for batch in sync.batches()) == [2, 4, 4, 10, 10]
    assert len(sync.simulator.records()) == 10


async def test_a_value_that_changed_back_after_a_lost_reply_is_sent_again(sync: Sync) -> None:
    """The CRM may hold the other value: a field in flight counts as unknown."""
    sync.peer.put("ONE", name="A")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.simulator.add_fault(kind="lost_reply", path=sync.simulator.BATCH)
    await sync.http.post(f"{sync.path}/{connection}/pause")
    sync.peer.put("ONE", name="B")
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await eventually(lambda: sync.simulator.records()[0]["name"] == "B")
    sync.peer.put("ONE", name="A")
    await sync.settled(connection, ok=1)
    await eventually(lambda: sync.simulator.records()[0]["name"] == "A")


async def test_batches_that_end_together_after_a_wait_do_not_stop_each_other(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """Each of them finds that the wait is over; none may hold what another one writes."""
    peer.fill(1)
    small: dict[str, Any] = {"batch_rows": 1, "parallel_batches": 16}
    async with running_sync(sync_url, tmp_path, simulator, peer, **small) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=1)
        for number in range(5):
            simulator.switches.dop_hint = 16
            simulator.add_fault(kind="status", status=429, body="json", retry_after="0")
            for key in range(16):
                peer.put(f"K{key}", name=f"Name {number}.{key}")
            await sync.settled(connection, 60.0, ok=16)
        runs = (await sync.get(f"/{connection}/runs"))["runs"]
    assert "failed" not in {run["state"] for run in runs}, runs


async def test_a_race_with_another_writer_is_tried_again(sync: Sync) -> None:
    sync.simulator.add_fault(kind="race", table=sync.simulator.TABLE)
    sync.peer.fill(3)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)
    assert len(sync.simulator.records()) == 3


async def test_a_batch_that_is_refused_as_a_whole_is_split_until_the_row_is_found(
    sync: Sync,
) -> None:
    sync.peer.fill(8)
    sync.simulator.add_fault(
        kind="status",
        path=sync.simulator.BATCH,
        status=413,
        body="json",
        message="too large",
        times=1,
    )
    connection = await sync.connect()
    await sync.settled(connection, ok=8)
    assert [len(batch) for batch in sync.batches()] == [8, 4, 4]


def _counted(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0.0


async def test_errors_of_the_server_park_no_row(sync: Sync) -> None:
    failed = _counted("bulkhead_crm_calls_total", answer="5xx")
    sent = _counted("bulkhead_sync_rows_total", state="ok")
    sync.peer.fill(3)
    sync.simulator.add_fault(kind="status", path=sync.simulator.BATCH, status=502, times=4)
    connection = await sync.connect()
    await sync.settled(connection, ok=3)

    async def is_well_again() -> bool:
        body = await sync.get(f"/{connection}")
        return (body["state"], body["reason"], body["retry_at"]) == ("active", "", None)

    await eventually(is_well_again)
    assert _counted("bulkhead_crm_calls_total", answer="5xx") == failed + 4
    assert _counted("bulkhead_sync_rows_total", state="ok") == sent + 3


async def test_retry_after_is_honoured_also_by_a_new_process(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(10)
    async with running_sync(sync_url, tmp_path, simulator, peer) as sync:
        simulator.add_fault(
            kind="status", path=simulator.BATCH, status=429, retry_after_s=2, body="json"
        )
        connection = await sync.connect()
        await eventually(lambda: len(sync.batches()) == 1)

        async def is_held() -> object:
            return (await sync.get(f"/{connection}"))["retry_at"]

        await eventually(is_held)
        assert (await sync.get(f"/{connection}"))["reason"] == "the CRM asks us to wait"
    calls = len(simulator.requests())
    async with running_sync(sync_url, tmp_path, simulator, peer) as again:
        held = await again.get(f"/{connection}")
        if held["retry_at"]:
            assert len(simulator.requests()) == calls
        await again.settled(connection, ok=10)
    first, second = simulator.requests(simulator.BATCH)
    assert datetime.fromisoformat(second.at) - datetime.fromisoformat(first.at) >= timedelta(
        seconds=2
    )


async def test_real_service_limits_are_never_hammered(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(60)
    simulator.simulation.set_limits(Limits(window_s=2, requests=6))
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=5) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=60)
    assert simulator.throttle.refused > 0
    assert simulator.throttle.early == []


async def test_a_token_that_ends_during_the_push_is_renewed_once(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(30)
    simulator.add_fault(kind="status", path=simulator.BATCH, status=401, body="json", times=1)
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=10) as sync:
        connection = await sync.connect()
        await sync.settled(connection, ok=30)
    assert (
        len(simulator.requests(simulator.SIGN_IN)) == 3
    )  # the probe's, the push's, the renewed one


async def test_tokens_that_end_before_the_crm_answers_break_no_connection(sync: Sync) -> None:
    """A slow way to the CRM: it says 401 of a token that had lived when the call left."""
    sync.simulator.switches.token_lifetime_s = 1
    sync.simulator.add_fault(kind="slow", path=sync.simulator.BATCH, seconds=1.3, times=2)
    connection = await sync.connect()
    sync.peer.fill(3)
    await sync.settled(connection, ok=3)
    answers = [request.status for request in sync.simulator.requests(sync.simulator.BATCH)]
    assert answers[:2] == [401, 401]
    reasons = {run["reason"] for run in (await sync.get(f"/{connection}/runs"))["runs"]}
    assert reasons == {"", "the CRM's token had ended before the CRM answered"}


async def test_a_connection_whose_secret_ended_waits_for_a_person_and_loses_nothing(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    sync.simulator.simulation.set_secrets(sync.simulator.client_id, [Secret("renewed")])
    sync.peer.fill(5)

    async def is_broken() -> bool:
        return bool((await sync.get(f"/{connection}"))["state"] == "broken")

    await eventually(is_broken)
    body = await sync.get(f"/{connection}")
    assert body["reason"] == "the client secret is wrong (AADSTS7000215)"
    path = f"{sync.path}/{connection}/credentials"
    assert (await sync.http.put(path, json={"client_secret": "renewed"})).status_code == 204
    await sync.settled(connection, ok=5)


async def test_a_row_that_falls_due_while_its_push_ends_does_not_wait_for_the_sweep(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    peer.fill(1)
    raced = {"status": 412, "code": "0x80060892"}
    simulator.add_fault(kind="refuse_row", table=simulator.TABLE, times=6, **raced)
    given: dict[str, Any] = {"sweep_s": 600.0, "backoff_s": 0.0005}
    async with running_sync(sync_url, tmp_path, simulator, peer, **given) as sync:
        await sync.settled(await sync.connect(), ok=1)


async def test_a_wait_that_the_crm_asked_for_is_kept_until_a_person_lifts_it(sync: Sync) -> None:
    sync.simulator.add_fault(
        kind="status", path=sync.simulator.BATCH, status=502, retry_after_s=86_400, body="json"
    )
    sync.peer.fill(3)
    connection = await sync.connect()

    async def is_held() -> bool:
        return bool((await sync.get(f"/{connection}"))["retry_at"])

    await eventually(is_held)
    path = f"{sync.path}/{connection}/resume"
    assert (await sync.http.post(path)).status_code == 204
    assert await is_held()
    assert (await sync.http.post(f"{path}?lift_wait=true")).status_code == 204
    await sync.settled(connection, ok=3)


async def test_a_crm_that_takes_rows_now_and_then_is_not_waited_for_longer_each_time(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    oldest, *younger = sorted(new_id() for _ in range(6))
    peer.put("ONE", id_=oldest, name="goes through")
    for number, record in enumerate(younger):  # more than could be at fault themselves
        peer.put(f"TWO{number}", id_=record, name="fails")
    simulator.add_fault(
        kind="refuse_row",
        table=simulator.TABLE,
        column="name",
        value="fails",
        status=500,
        code="0x80040216",
        times=None,
    )
    changes: dict[str, Any] = {
        "sweep_s": 600.0,
        "settle_s": 600.0,
        "backoff_s": 600.0,
        "batch_rows": 1,
    }
    async with running_sync(sync_url, tmp_path, simulator, peer, **changes) as sync:
        id_ = ConnectionId(UUID(connection := await sync.connect()))
        async with sync.parts.db.write() as session:
            await connections.hold(session, id_, clock.now(), "has failed before", 5)
        sync.parts.pusher.wake(sync.tenant, id_, 0.0)
        await sync.settled(connection, ok=1, pending=5)

        async def is_held() -> bool:
            async with sync.parts.db.read() as session:
                row = await connections.get(session, id_)
            return row is not None and row.failures == 1

        await eventually(is_held)
