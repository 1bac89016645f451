"""A restored database takes the tenant's place: completely, or after a crash a moment later."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tenantdb import names, swap
from tests.services.tenants.restoring import Restore
from tests.services.tenants.running_tenants import Suite, dump_lease, has_role


async def test_a_swap_serves_the_restored_records_and_keeps_the_old_database(
    one: Restore, suite: Suite
) -> None:
    assert await one.names() == []
    for _ in range(2):
        assert (await one.swap()).status_code == 204
    assert await one.names() == ["Restored"]
    assert (await suite.topics()).count("tenants.database.swapped.v1") == 1
    row = await one.target()
    assert row["state"] == "swapped"
    assert await suite.hands.has_database(row["aside"])
    assert not await suite.hands.has_database(one.database)
    answer = await suite.user(one.tenant, "POST", "/records/person", {"fields": {"last_name": "N"}})
    assert answer.status_code == 201, "rights are those of any tenant database"


async def test_a_swap_that_names_another_database_than_the_restores_is_refused(
    one: Restore, suite: Suite
) -> None:
    body = {"restore": one.restore, "database": names.target_name(await suite.name_of(one.tenant))}
    answer = await suite.peer("backup", "POST", f"/tenants/{one.tenant}/swap", body)
    assert answer.status_code == 404
    assert await one.names() == []


async def test_positions_start_anew(one: Restore, suite: Suite) -> None:
    old = (await suite.user(one.tenant, "GET", "/changes")).json()["position"]
    await one.swap()
    answer = (await suite.user(one.tenant, "GET", f"/changes?after={old}")).json()
    assert answer["reset"] is True


@pytest.mark.parametrize("step", ["exchange", "_close", "after _close", "after exchange"])
async def test_a_swap_that_dies_at_any_step_is_completed_later(
    one: Restore, suite: Suite, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    function = step.removeprefix("after ")
    whole = getattr(swap, function)

    async def die(*arguments: Any) -> None:
        if step.startswith("after"):
            await whole(*arguments)
        raise ConnectionError

    with monkeypatch.context() as crash:
        crash.setattr(swap, function, die)
        assert (await one.swap()).status_code == 503
        refused = await suite.user(one.tenant, "GET", "/records/person")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    await suite.parts.restore_targets.resume_swaps()
    assert await one.names() == ["Restored"]
    assert (await suite.topics()).count("tenants.database.swapped.v1") == 1


async def test_other_tenants_are_served_while_one_is_swapped(one: Restore, suite: Suite) -> None:
    other = await suite.tenant("Other")
    swapping = asyncio.create_task(one.swap())
    while not swapping.done():
        assert (await suite.user(other, "GET", "/records/person")).status_code == 200
        await asyncio.sleep(0)
    assert (await swapping).status_code == 204


async def test_two_swaps_at_once_are_one(one: Restore, suite: Suite) -> None:
    answers = await asyncio.gather(one.swap(), one.swap())
    assert [answer.status_code for answer in answers] == [204, 204]
    assert await one.names() == ["Restored"]


async def test_a_second_restore_waits_for_the_first_swap(one: Restore, suite: Suite) -> None:
    await suite.database.execute("UPDATE restore_target SET state = 'swapping', aside = 't_busy'")
    path, other = f"/tenants/{one.tenant}", str(uuid4())
    answer = await suite.peer("backup", "POST", f"{path}/restore-targets", {"restore": other})
    target = answer.json()["database"]
    body = {"restore": other, "database": target}
    refused = await suite.peer("backup", "POST", f"{path}/swap", body)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/swap-refused")
    await suite.database.execute(
        "UPDATE restore_target SET state = 'open', aside = NULL WHERE aside = 't_busy'"
    )
    await suite.peer("backup", "DELETE", f"{path}/restore-targets/{target}")


async def test_leases_end_before_names_change(one: Restore, suite: Suite) -> None:
    lease = await dump_lease(suite, one.tenant)
    await one.swap()
    assert not await has_role(suite, lease)
    left = await suite.database.fetchval("SELECT count(*) FROM lease WHERE ended_at IS NULL")
    assert left == 0


async def test_a_suspended_tenant_stays_suspended(one: Restore, suite: Suite) -> None:
    await suite.operator("POST", f"/v1/tenants/{one.tenant}/suspend")
    await one.swap()
    assert (await suite.user(one.tenant, "GET", "/records/person")).status_code == 403
    await suite.operator("POST", f"/v1/tenants/{one.tenant}/resume")
    assert await one.names() == ["Restored"]


async def test_the_old_database_is_dropped_after_its_time(one: Restore, suite: Suite) -> None:
    await one.swap()
    aside = (await one.target())["aside"]
    await suite.parts.restore_targets.sweep()
    assert await suite.hands.has_database(aside)
    assert await suite.database.fetchval(
        "SELECT drop_aside_at - now() BETWEEN '6 days 23 hours' AND '7 days' FROM restore_target"
    )
    await suite.database.execute("UPDATE restore_target SET drop_aside_at = now()")
    await suite.parts.restore_targets.sweep()
    assert not await suite.hands.has_database(aside)


async def test_asking_again_gives_the_same_target_until_it_is_dropped(
    one: Restore, suite: Suite
) -> None:
    path = f"/tenants/{one.tenant}/restore-targets"
    again = await suite.peer("backup", "POST", path, {"restore": one.restore})
    assert again.json() == {"database": one.database}
    for _ in range(2):
        answer = await suite.peer("backup", "DELETE", f"{path}/{one.database}")
        assert answer.status_code == 204
    assert not await suite.hands.has_database(one.database)
    assert (await one.swap()).status_code == 404


async def test_a_target_that_is_in_place_cannot_be_dropped(one: Restore, suite: Suite) -> None:
    await one.swap()
    path = f"/tenants/{one.tenant}/restore-targets"
    for method, where, body in (
        ("DELETE", f"{path}/{one.database}", None),
        ("POST", path, {"restore": one.restore}),
    ):
        assert (await suite.peer("backup", method, where, body)).status_code == 409
    assert await one.names() == ["Restored"]


async def test_a_forgotten_target_is_dropped(one: Restore, suite: Suite) -> None:
    await suite.database.execute("UPDATE restore_target SET created_at = now() - interval '3 days'")
    await suite.parts.restore_targets.sweep()
    assert not await suite.hands.has_database(one.database)
    assert await one.target() is None


async def test_a_target_of_an_unknown_tenant_is_not_found(suite: Suite) -> None:
    path = f"/tenants/{uuid4()}/restore-targets"
    answer = await suite.peer("backup", "POST", path, {"restore": str(uuid4())})
    assert answer.status_code == 404
