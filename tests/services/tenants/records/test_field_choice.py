"""The field choice is the tenant's, per connection and module, and tells the other services."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.access import Scope


@pytest.fixture
async def connection(api: Any) -> UUID:
    """A connection that maps every field."""
    made = uuid4()
    await api.register(made)
    return made


async def _put(api: Any, connection: Any, module: str, fields: list[Any]) -> Any:
    path = f"/field-choices/{connection}/{module}"
    return await api.call("PUT", path, json={"fields": fields})


async def test_a_choice_is_kept_in_the_order_of_the_module(api: Any, connection: UUID) -> None:
    path = f"/field-choices/{connection}/organisation"
    assert (await api.call("GET", path)).json() == {"fields": []}
    answer = await _put(api, connection, "organisation", ["name", "symbol", "name"])
    assert (answer.status_code, answer.json()) == (200, {"fields": ["symbol", "name"]})
    assert (await _put(api, connection, "organisation", ["cik"])).json() == {"fields": ["cik"]}
    assert (await api.call("GET", path)).json() == {"fields": ["cik"]}
    assert (await _put(api, connection, "organisation", [])).json() == {"fields": []}


@pytest.mark.parametrize(
    "body",
    [{"fields": ["colour"]}, {"fields": [1]}, {"fields": "name"}, {}, {"fields": [], "x": 1}],
)
async def test_a_choice_that_does_not_fit_is_refused(
    api: Any, connection: UUID, body: dict[str, Any]
) -> None:
    path = f"/field-choices/{connection}/organisation"
    assert (await api.call("PUT", path, json=body)).status_code == 422
    assert (await api.call("PUT", f"/field-choices/{connection}/cars", json=body)).status_code in (
        404, 422
    )  # fmt: skip


async def test_choosing_needs_its_own_right(api: Any) -> None:
    viewer = api.as_user(connection_view=Scope.ALL)
    assert (await _put(viewer, uuid4(), "organisation", ["name"])).status_code == 403
    path = f"/field-choices/{uuid4()}/organisation"
    assert (await viewer.call("GET", path)).status_code == 200


async def test_every_put_writes_the_notice_of_the_choice(
    api: Any, connection: UUID, control: Any
) -> None:
    await _put(api, connection, "organisation", ["name"])
    await _put(api, connection, "organisation", ["name"])
    async with control.read() as session:
        rows = await session.all(
            text("SELECT body FROM outbox WHERE topic = 'tenants.field_choice.changed.v1'")
        )
    told = [json.loads(row["body"])["data"] for row in rows]
    assert told.count({"tenant": str(api.tenant), "connection": str(connection)}) == 2


async def test_a_choice_is_of_one_connection_and_one_module(api: Any) -> None:
    one, other = uuid4(), uuid4()
    await api.register(one)
    await api.register(other)
    chosen = {
        (one, "organisation"): ["name"],
        (one, "person"): ["email"],
        (other, "organisation"): ["cik"],
    }
    for (connection, module), fields in chosen.items():
        await _put(api, connection, module, fields)
    await _put(api, one, "organisation", [])
    for (connection, module), fields in chosen.items():
        answer = await api.call("GET", f"/field-choices/{connection}/{module}")
        left = [] if (connection, module) == (one, "organisation") else fields
        assert answer.json() == {"fields": left}, (connection, module)
