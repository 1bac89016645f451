"""Two replicas of every program work side by side, and either may die at any moment: nothing twice
in effect, nothing left, and what each must know reaches each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from ops.answers import ApiRefused
from ops.api import Api, Login, until
from ops.story.material import ndjson
from ops.story.opening import sign_up
from ops.story.scene import Scene, SceneTenant, new_password
from ops.story.syncing import KEY, connect, settled
from tests.journeys.second_stack import SecondStack

ROWS, SOON_S = 400, 10.0
STACKS = ("first", "second")


@pytest.fixture(scope="module")
async def second(suite) -> AsyncIterator[SecondStack]:
    stack = SecondStack.beside(suite)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


@pytest.fixture
def stacks(suite, second):
    return dict(zip(STACKS, (suite, second), strict=True))


async def through(
    stack, stage: Scene, tenant: SceneTenant, login: Login | None = None
) -> SceneTenant:
    """The tenant by the edge of this stack, as its administrator or with another login; that edge
    knows the tenant's list by then."""
    ca, login = stack.layout.certificates / "authority.pem", login or tenant.login
    api = await stage.stack.enter_async_context(Api(stack.layout.url, ca, login))
    known = await stage.stack.enter_async_context(Api(stack.layout.url, ca, tenant.login))
    path = tenant.path("records/organisation")
    await until("the edge knows the list", lambda: answers(lambda: known.get(path), 200))
    return SceneTenant(tenant.name, tenant.id, api, login)


async def bulk(tenant: SceneTenant, rows: list[dict[str, Any]]) -> None:
    await tenant.api.call(
        "POST",
        tenant.path("records/organisation/bulk"),
        content=ndjson(rows),
        headers={"content-type": "application/x-ndjson"},
    )


def rows_of(mark: str, numbers: range) -> list[dict[str, Any]]:
    return [{"key": f"{mark}{n}", "fields": {"name": f"{mark} {n}"}} for n in numbers]


async def answers(call: Callable[[], Awaitable[Any]], status: int) -> bool:
    try:
        await call()
    except ApiRefused as refused:
        return refused.status == status
    return status == 200


async def counted(suite, service: str, sql: str) -> int:
    """What one of the control databases says."""
    connection = await asyncpg.connect(
        (suite.layout.secrets / service / "database_url").read_text().strip()
    )
    try:
        return int(await connection.fetchval(sql))
    finally:
        await connection.close()


async def test_what_one_replica_made_the_other_serves(stacks, stage):
    tenant = await sign_up(stage, "r1", "Replicas one")
    other = await through(stacks["second"], stage, tenant)
    made = await tenant.api.post(
        tenant.path("records/organisation"), {"key": "One", "fields": {"name": "One"}}
    )
    path = tenant.path(f"records/organisation/{made['id']}")
    assert await other.api.get(path) == await tenant.api.get(path)
    assert await other.api.get("/v1/me") == await tenant.api.get("/v1/me")


async def test_faulty_logins_are_counted_together(stacks, stage):
    tenant = await sign_up(stage, "r2", "Replicas two")
    wrong = Login(tenant.login.email, new_password(), tenant.id)
    edges = [await through(one, stage, tenant, wrong) for one in stacks.values()]
    rights = [await through(one, stage, tenant) for one in stacks.values()]
    seen = []
    for edge in [*edges, *edges]:
        with pytest.raises(ApiRefused) as refused:
            await edge.api.log_in()
        seen.append(refused.value.status)
    assert seen == [401, 401, 401, 429]
    for right in rights:
        with pytest.raises(ApiRefused) as refused:
            await right.api.log_in()
        assert refused.value.slug == "login-blocked"


async def test_what_every_edge_must_know_reaches_each(stacks, stage):
    tenant = await sign_up(stage, "r3", "Replicas three")
    """Soon: an edge follows twice a second, and its sweep, which would do as well, takes half a
    minute."""
    edges = [await through(stack, stage, tenant) for stack in stacks.values()]

    async def all_answer(status: int) -> bool:
        path = tenant.path("records/organisation")
        seen = [(await edge.api.raw("GET", path)).status_code for edge in edges]
        return set(seen) == {status}

    await until("both serve", lambda: all_answer(200), deadline_s=SOON_S)
    await stage.operator.put(f"/v1/allowlists/{tenant.id}", {"ranges": ["127.9.9.9/32"]})
    await until("both refuse an address", lambda: all_answer(403), deadline_s=SOON_S)
    await stage.operator.put(f"/v1/allowlists/{tenant.id}", {"ranges": ["127.0.0.1/32"]})
    await until("both serve again", lambda: all_answer(200), deadline_s=SOON_S)
    await stage.operator.post(f"/v1/tenants/{tenant.id}/suspend")
    await until("both refuse a suspended tenant", lambda: all_answer(403), deadline_s=SOON_S)
    await stage.operator.post(f"/v1/tenants/{tenant.id}/resume")
    await until("both serve what was resumed", lambda: all_answer(200), deadline_s=SOON_S)


@pytest.mark.parametrize("victim", ["sync", "tenants", "relay", "auth", "gateway", "backup"])
@pytest.mark.parametrize("killed", STACKS)
async def test_nothing_is_lost_or_left_when_either_is_killed(suite, stacks, stage, victim, killed):
    mark = f"{killed}-{victim}-"
    tenant = await sign_up(stage, mark.rstrip("-"), f"Replicas {mark}")
    other = await through(stacks["second"], stage, tenant)
    connection = await connect(stage, tenant)

    async def in_crm() -> dict[str, str]:
        rows = await stage.crm.rows("accounts")
        return {row[KEY]: row["name"] for row in rows if str(row[KEY]).startswith(mark)}

    await bulk(tenant, rows_of(mark, range(ROWS)))
    await until("the sync is under way", in_crm)
    stacks[killed].children[victim].kill()
    if victim not in {"tenants", "auth"} or killed == "first":
        await _as_soon_as_served(lambda: bulk(other, rows_of(mark, range(ROWS, 2 * ROWS))))
    else:
        await bulk(tenant, rows_of(mark, range(ROWS, 2 * ROWS)))

    async def complete() -> bool:
        return len(await in_crm()) == 2 * ROWS

    if victim not in {"tenants", "auth"}:  # the killed stack's own callers have one address each
        await until("all arrives without the killed one", complete, deadline_s=90)
    await stacks[killed].restart(victim)
    await until("all arrives", complete, deadline_s=90)
    await until("nothing waits", lambda: settled(tenant, connection))
    assert await in_crm() == {f"{mark}{n}": f"{mark} {n}" for n in range(2 * ROWS)}
    assert sum(str(row[KEY]).startswith(mark) for row in await stage.crm.rows("accounts")) == (
        2 * ROWS
    )
    for service in ("auth", "tenants", "sync", "backup"):

        async def is_empty(service: str = service) -> bool:
            return await counted(suite, service, "SELECT count(*) FROM outbox") == 0

        await until(f"the outbox of {service} is empty", is_empty)


async def _as_soon_as_served(call: Callable[[], Awaitable[None]]) -> None:
    """The edge finds out within moments that a program is away or back."""

    async def done() -> bool:
        with contextlib.suppress(ApiRefused):
            await call()
            return True
        return False

    await until("the call is served", done)


@pytest.mark.parametrize("killed", STACKS)
async def test_backups_asked_for_at_both_run_one_by_one_and_outlive_either(
    suite, stacks, stage, killed
):
    tenant = await sign_up(stage, f"b-{killed}", f"Replicas backup {killed}")
    edges = [await through(stack, stage, tenant) for stack in stacks.values()]
    await bulk(tenant, rows_of("b", range(ROWS)))
    path = tenant.path("backups")
    await asyncio.gather(*(edge.api.post(path) for edge in edges for _ in range(3)))
    stacks[killed].children["backup"].kill()
    alive = edges[1 - STACKS.index(killed)]

    async def all_verified() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await alive.api.get(path))["backups"]
        return found if {one["state"] for one in found} == {"verified"} else []

    made = await until("the other one finishes them", all_verified, deadline_s=120)
    await stacks[killed].restart("backup")
    times = sorted((one["started_at"], one["finished_at"]) for one in made)
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(times))
    turns = f"SELECT count(*) FROM turn WHERE tenant = '{tenant.id}'"

    async def is_free() -> bool:
        return await counted(suite, "backup", turns) == 0

    await until("the turn is given up", is_free)  # a run takes stock when its full is verified
