"""The numbers of both sides stand beside each other, and agree once all is sent."""

from typing import Any

from contracts.ids import TenantId, new_id
from contracts.problems import TenantBeingRestored
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync


async def compared(sync: Sync, connection: str) -> dict[str, Any]:
    modules: dict[str, Any] = (await sync.get(f"/{connection}/comparison"))["modules"]
    return modules


async def test_both_sides_agree_and_a_record_without_values_is_not_taken_for_a_row(
    sync: Sync,
) -> None:
    sync.peer.fill(3)
    sync.peer.put("nothing chosen", cik="SECRET")
    sync.peer.put("not/addressable", name="parked")
    connection = await sync.connect()
    await sync.settled(connection, ok=3, empty=1, parked=1)
    found = await compared(sync, connection)
    outcomes = {"ok": 3, "empty": 1, "parked": 1}
    assert found == {"organisation": {"ours": 5, "outcomes": outcomes}}
    assert len(sync.simulator.records()) == outcomes["ok"]


async def test_what_waits_and_what_is_gone_is_told_apart_from_what_is_there(sync: Sync) -> None:
    sync.peer.fill(2)
    connection = await sync.connect()
    await sync.settled(connection, ok=2)
    await sync.http.post(f"{sync.path}/{connection}/pause")
    sync.peer.put("made while paused", name="late")
    found = (await compared(sync, connection))["organisation"]
    assert (found["ours"], found["outcomes"]) == (3, {"ok": 2})
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await sync.settled(connection, ok=3)
    sync.peer.delete(next(iter(sync.peer.records)))
    await sync.settled(connection, ok=2, removed=1)
    found = (await compared(sync, connection))["organisation"]
    assert (found["ours"], found["outcomes"]) == (2, {"ok": 2, "removed": 1})


async def test_a_module_that_is_not_chosen_any_more_has_no_number_here(sync: Sync) -> None:
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    sync.peer.choice = {}
    found = (await compared(sync, connection))["organisation"]
    assert found["ours"] is None


async def test_where_one_side_cannot_be_asked_no_half_of_it_is_shown(sync: Sync) -> None:
    connection = await sync.connect()
    sync.peer.down = True
    answer = await sync.http.get(f"{sync.path}/{connection}/comparison")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/dependency-down")


async def test_why_the_other_side_cannot_be_asked_is_told(sync: Sync) -> None:
    connection = await sync.connect()
    sync.peer.problem = TenantBeingRestored()
    answer = await sync.http.get(f"{sync.path}/{connection}/comparison")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "/problems/tenant-being-restored"
    sync.peer.put("ONE", name="A")
    await sync.http.post(f"{sync.path}/{connection}/runs")

    async def is_told() -> bool:
        runs = (await sync.get(f"/{connection}/runs"))["runs"]
        return any("tenant-being-restored" in run["reason"] for run in runs)

    await eventually(is_told)
    sync.peer.problem = None
    await sync.settled(connection, ok=1)


async def test_a_connection_that_is_not_the_tenants_is_not_compared(sync: Sync) -> None:
    for connection in (str(new_id()), await sync.connect()):
        stranger = TenantId(new_id())
        answer = await sync.as_user(stranger).get(
            f"/t/{stranger}/v1/connections/{connection}/comparison"
        )
        assert answer.status_code == 404
