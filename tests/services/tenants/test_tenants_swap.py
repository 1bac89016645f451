"""A restored database takes the tenant's place: completely, or after a crash a moment later."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from tenantdb import restore, template
from tenantdb.cluster import Cluster
from tests.services.tenants.running_tenants import Suite, dump_lease, has_role, open_lease

ADD = """INSERT INTO record (id, module, data)
    VALUES (gen_random_uuid(), 'person', '{"last_name": "Restored"}')"""


@dataclass
class Restore:
    """A tenant with one record too few, and a target that holds what it should have."""

    suite: Suite
    tenant: UUID
    restore: str
    database: str

    @classmethod
    async def prepared(cls, suite: Suite) -> "Restore":
        tenant, restore_id = await suite.tenant(), str(uuid4())
        path = f"/tenants/{tenant}/restore-targets"
        target = (await suite.peer("backup", "POST", path, {"restore": restore_id})).json()
        one = cls(suite, tenant, restore_id, target["database"])
        await one.fill()
        return one

    async def fill(self) -> None:
        """What pg_restore does: the tenant's schema and data, made with a restore lease."""
        name = await self.suite.name_of(self.tenant)
        await template.upgrade(self.suite.hands, self.database, f"{name}_owner")
        body = {"purpose": "restore", "target": self.database}
        answer = await self.suite.peer("backup", "POST", f"/tenants/{self.tenant}/leases", body)
        assert answer.status_code == 201, answer.text
        connection = await open_lease(answer.json())
        await connection.execute(ADD)
        await connection.close()

    async def swap(self) -> Any:
        body = {"restore": self.restore, "database": self.database}
        return await self.suite.peer("backup", "POST", f"/tenants/{self.tenant}/swap", body)

    async def names(self) -> list[str]:
        answer = await self.suite.user(self.tenant, "GET", "/records/person")
        assert answer.status_code == 200, answer.text
        return [row["fields"]["last_name"] for row in answer.json()["records"]]

    async def target(self) -> Any:
        return await self.suite.database.fetchrow(
            "SELECT * FROM restore_target WHERE database = $1", self.database
        )


@pytest.fixture
async def one(suite: Suite) -> Any:
    made = await Restore.prepared(suite)
    yield made
    row = await made.target()
    if row is not None and row["aside"]:
        await suite.hands.drop_database(row["aside"])
    await restore.drop_target(suite.hands, made.database)


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


async def test_positions_start_anew(one: Restore, suite: Suite) -> None:
    old = (await suite.user(one.tenant, "GET", "/changes")).json()["position"]
    await one.swap()
    answer = (await suite.user(one.tenant, "GET", f"/changes?after={old}")).json()
    assert answer["reset"] is True


@pytest.mark.parametrize("step", ["prepare", "exchange", "has_database", "after exchange"])
async def test_a_swap_that_dies_at_any_step_is_completed_later(
    one: Restore, suite: Suite, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    exchange = restore.exchange

    async def die(*_arguments: Any) -> bool:
        raise ConnectionError

    async def die_afterwards(*arguments: Any) -> None:
        await exchange(*arguments)
        raise ConnectionError

    with monkeypatch.context() as crash:
        if step == "has_database":
            crash.setattr(Cluster, "has_database", die)
        elif step == "after exchange":
            crash.setattr(restore, "exchange", die_afterwards)
        else:
            crash.setattr(restore, step, die)
        assert (await one.swap()).status_code == 503
        refused = await suite.user(one.tenant, "GET", "/records/person")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    await suite.app.state.restore_targets.resume_swaps()
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
    await suite.app.state.restore_targets.sweep()
    assert await suite.hands.has_database(aside)
    assert await suite.database.fetchval(
        "SELECT drop_aside_at - now() BETWEEN '6 days 23 hours' AND '7 days' FROM restore_target"
    )
    await suite.database.execute("UPDATE restore_target SET drop_aside_at = now()")
    await suite.app.state.restore_targets.sweep()
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
    await suite.app.state.restore_targets.sweep()
    assert not await suite.hands.has_database(one.database)
    assert await one.target() is None


async def test_a_target_of_an_unknown_tenant_is_not_found(suite: Suite) -> None:
    path = f"/tenants/{uuid4()}/restore-targets"
    answer = await suite.peer("backup", "POST", path, {"restore": str(uuid4())})
    assert answer.status_code == 404
