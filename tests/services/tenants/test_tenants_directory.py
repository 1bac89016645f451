"""Operators make and see tenants; services see ids and states; nobody else sees anything."""

import asyncio
from typing import Any
from uuid import uuid4

from services.tenants.databases.tables import metadata
from tests.eventually import eventually
from tests.services.tenants.running_tenants import Suite


async def test_an_operator_makes_a_tenant_and_finds_it(suite: Suite) -> None:
    tenant = await suite.tenant("Acme")
    one = (await suite.operator("GET", f"/v1/tenants/{tenant}")).json()
    assert (one["name"], one["state"], set(one)) == (
        "Acme",
        "active",
        {"id", "name", "state", "created_at"},
    )
    assert (await suite.operator("GET", "/v1/tenants")).json() == {"tenants": [one]}
    assert await suite.topics() == ["tenants.tenant.created.v1"]
    answer = await suite.user(tenant, "GET", "/records/person")
    assert (answer.status_code, answer.json()["records"]) == (200, [])


async def test_a_name_is_given_once(suite: Suite) -> None:
    await suite.tenant("Acme")
    again = await suite.operator("POST", "/v1/tenants", {"name": "Acme"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/tenant-name-taken")


async def test_a_bad_body_makes_nothing(suite: Suite) -> None:
    names: list[Any] = ["", " a", "a\n", 7, None, "x" * 201]
    for body in ({}, [], {"name": "a", "x": 1}, *({"name": name} for name in names)):
        assert (await suite.operator("POST", "/v1/tenants", body)).status_code == 422, body
    assert await suite.database.fetchval("SELECT count(*) FROM tenant") == 0


async def test_each_operation_needs_its_permission(suite: Suite) -> None:
    for method, path, body in (
        ("POST", "", {"name": "Acme"}),
        ("GET", "", None),
        ("GET", f"/{uuid4()}", None),
        ("POST", f"/{uuid4()}/suspend", None),
        ("POST", f"/{uuid4()}/resume", None),
    ):
        answer = await suite.operator(method, f"/v1/tenants{path}", body, grants=("key.rotate",))
        assert answer.status_code == 403, path


async def test_a_tenants_administrator_is_no_operator(suite: Suite) -> None:
    token = suite._token(suite._actor("tenant", uuid4(), (), ()))
    assert (await suite._call("GET", "/v1/tenants", None, token)).status_code in {401, 403}


async def test_an_unknown_tenant_is_not_found(suite: Suite) -> None:
    for action in ("", "/suspend", "/resume"):
        method = "POST" if action else "GET"
        answer = await suite.operator(method, f"/v1/tenants/{uuid4()}{action}")
        assert answer.status_code == 404, action


async def test_services_see_ids_and_states_only(suite: Suite) -> None:
    tenant = await suite.tenant()
    for peer in ("auth", "sync", "backup", "gateway"):
        answer = await suite.peer(peer, "GET", "/tenants")
        assert answer.json() == {"tenants": [{"id": str(tenant), "state": "active"}]}


async def test_an_unknown_user_token_opens_no_internal_route(suite: Suite) -> None:
    assert (await suite.operator("GET", "/internal/tenants")).status_code == 401


async def test_no_secret_of_a_tenant_stands_in_clear_in_the_directory(suite: Suite) -> None:
    tenant = await suite.tenant()
    address = await suite.parts.databases._lookup(tenant)
    row = await suite.database.fetchrow("SELECT * FROM tenant")
    assert row is not None
    assert address.password.encode() not in b"".join(
        value if isinstance(value, bytes) else str(value).encode() for value in row.values()
    )


async def test_the_tables_are_what_the_migrations_make(suite: Suite) -> None:
    for table in metadata.sorted_tables:
        rows = await suite.database.fetch(
            "SELECT column_name, is_nullable = 'YES' AS nullable FROM information_schema.columns"
            " WHERE table_name = $1",
            table.name,
        )
        expected = {column.name: bool(column.nullable) for column in table.columns}
        assert {row["column_name"]: row["nullable"] for row in rows} == expected


async def test_an_answer_says_where_what_was_made_is(suite: Suite) -> None:
    made = await suite.operator("POST", "/v1/tenants", {"name": "Acme"})
    found = await suite.operator("GET", made.headers["location"])
    assert found.json() == made.json()
    tenant = made.json()["id"]
    for path, body in (("leases", {"purpose": "dump"}), ("restore-targets", {"restore": tenant})):
        answer = await suite.peer("backup", "POST", f"/tenants/{tenant}/{path}", body)
        where = answer.headers["location"].removeprefix("/internal")
        assert where.startswith(f"/tenants/{tenant}/{path}/")
        assert (await suite.peer("backup", "DELETE", where)).status_code == 204


async def test_a_name_that_does_not_show_what_it_holds_is_refused_for_that_reason(
    suite: Suite,
) -> None:
    for name in ("Firm \x1b[2J", "Firm \u202eevil", "Fi\u200brm", "Firm \ue000", "Firm \u0378"):
        answer = await suite.operator("POST", "/v1/tenants", {"name": name})
        assert answer.status_code == 422
        assert "invisible" in answer.json()["errors"][0]["message"]
        assert name not in answer.text
    for name in ("Firm [/] Ltd", "می\u200cخواهم", "x" * 200):
        answer = await suite.operator("POST", "/v1/tenants", {"name": name})
        assert (answer.status_code, answer.json()["name"]) == (201, name)


async def test_a_tenant_with_a_name_of_before_goes_on_working(suite: Suite) -> None:
    tenant = await suite.tenant("Acme")
    old = "Firm \x1b[2J\u202e"
    await suite.database.execute("UPDATE tenant SET name = $1 WHERE id = $2", old, tenant)
    assert (await suite.operator("GET", f"/v1/tenants/{tenant}")).json()["name"] == old
    answer = await suite.operator("POST", f"/v1/tenants/{tenant}/suspend")
    assert (answer.status_code, answer.json()["state"]) == (200, "suspended")


async def test_requests_that_wait_for_the_directory_ask_it_once(suite: Suite) -> None:
    """Each of them used to ask when the second was over, and all connections were taken."""
    tenants = [await suite.tenant(name) for name in ("Acme", "Bolt")]
    for tenant in tenants:
        suite.parts.provisioning._addresses.forget(tenant)
    async with suite.database.transaction():
        await suite.database.execute("LOCK TABLE tenant")
        calls = [
            asyncio.create_task(suite.user(tenants[i % 2], "GET", "/records/person"))
            for i in range(64)
        ]
        await eventually(lambda: _waiting(suite, 2))
        await _settled(calls)
        assert await _waiting(suite, 2)
    assert {(await call).status_code for call in calls} == {200}


async def _waiting(suite: Suite, expected: int) -> bool:
    """Whether that many look-ups wait for the table."""
    count = await suite.database.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(count == expected)


async def _settled(tasks: list[Any]) -> None:
    """Every task has had many turns."""
    for _ in range(200):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
