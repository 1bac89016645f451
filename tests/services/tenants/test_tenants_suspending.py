"""The role of a tenant follows the directory, whatever crosses and whatever dies in between."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from contracts.events import ConnectionRemoved
from contracts.ids import new_id
from tenantdb import provision
from tests.eventually import eventually
from tests.services.tenants.running_tenants import Suite

STATE = """SELECT t.state, r.rolcanlogin AS may_log_in FROM tenant t
    JOIN pg_roles r ON r.rolname = t.database WHERE t.id = $1"""


async def role_follows(suite: Suite, tenant: UUID) -> bool:
    row = await suite.database.fetchrow(STATE, tenant)
    assert row is not None
    return bool((row["state"] == "active") == row["may_log_in"])


async def call(suite: Suite, tenant: UUID, action: str) -> None:
    answer = await suite.operator("POST", f"/v1/tenants/{tenant}/{action}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("slow", "step", "quick"), [("suspend", "lock_out", "resume"), ("resume", "let_in", "suspend")]
)
async def test_of_crossing_calls_the_role_follows_the_one_that_came_last(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, slow: str, step: str, quick: str
) -> None:
    tenant = await suite.tenant()
    await call(suite, tenant, quick)
    whole, reached, go_on = getattr(provision, step), asyncio.Event(), asyncio.Event()

    async def wait_first(*arguments: Any) -> None:
        reached.set()
        await go_on.wait()
        await whole(*arguments)

    monkeypatch.setattr(provision, step, wait_first)
    first = asyncio.create_task(call(suite, tenant, slow))
    await reached.wait()
    second = asyncio.create_task(call(suite, tenant, quick))
    await asyncio.wait([second], timeout=0.5)  # it may overtake the first, or wait for it
    go_on.set()
    await asyncio.gather(first, second)
    assert await role_follows(suite, tenant)


async def test_many_crossing_calls_leave_role_and_directory_of_one_mind(suite: Suite) -> None:
    tenant = await suite.tenant()
    actions = ["suspend", "resume"] * 3
    await asyncio.gather(*(call(suite, tenant, action) for action in actions))
    assert await role_follows(suite, tenant)


@pytest.mark.parametrize(("action", "step"), [("suspend", "lock_out"), ("resume", "let_in")])
async def test_what_a_crash_left_undone_is_done_by_the_timer(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, action: str, step: str
) -> None:
    tenant = await suite.tenant()
    if action == "resume":
        await call(suite, tenant, "suspend")

    async def die(*_arguments: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as crash:
        crash.setattr(provision, step, die)
        answer = await suite.operator("POST", f"/v1/tenants/{tenant}/{action}")
        assert answer.status_code == 503
    assert not await role_follows(suite, tenant)
    await suite.parts.provisioning.apply_pending()
    assert await role_follows(suite, tenant)
    assert await suite.database.fetchval("SELECT is_applied FROM tenant")


async def test_the_field_choice_of_a_removed_connection_goes_also_while_suspended(
    suite: Suite,
) -> None:
    tenant, connection = await suite.tenant(), new_id()
    choice = f"/field-choices/{connection}/organisation"
    await suite.register(tenant, connection, ["name"])
    chosen = await suite.user(tenant, "PUT", choice, {"fields": ["name"]})
    assert chosen.status_code == 200
    await call(suite, tenant, "suspend")
    notice = ConnectionRemoved(tenant=tenant, connection=connection)
    await suite.broker.publish(notice.to_message(source="/sync"))

    async def handled() -> bool:
        return bool(await suite.database.fetchval("SELECT count(*) FROM inbox"))

    await eventually(handled)
    await call(suite, tenant, "resume")
    assert (await suite.user(tenant, "GET", choice)).json() == {"fields": []}
