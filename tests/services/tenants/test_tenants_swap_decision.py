"""What can fail for good fails before the decision to swap; what was withdrawn stays withdrawn."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.ids import RestoreId
from kit.db import Database
from services.tenants.databases.leases import Leases
from services.tenants.databases.targets import RestoreTargets
from tenantdb import swap
from tests.services.tenants.restoring import Restore
from tests.services.tenants.running_tenants import Suite

CHOOSE = """INSERT INTO field_choice (connection, module, field)
    SELECT $1, 'organisation', unnest(ARRAY['name', 'sector', 'cik'])"""
MAP = "INSERT INTO connection_mapping (connection, modules) VALUES ($1, $2)"


async def test_a_swap_that_cannot_be_prepared_is_refused_and_the_tenant_is_served(
    one: Restore, suite: Suite
) -> None:
    await one.run("UPDATE schema_migration SET sha256 = 'of another release'")
    for _ in range(2):
        refused = await one.swap()
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/swap-refused")
        assert await one.names() == []
    await suite.parts.restore_targets.resume_swaps()
    assert (await one.target())["state"] == "open"
    path = f"/tenants/{one.tenant}/restore-targets/{one.database}"
    assert (await suite.peer("backup", "DELETE", path)).status_code == 204


async def test_a_cluster_that_is_away_before_the_decision_is_asked_again(
    one: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_arguments: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as outage:
        outage.setattr(swap, "prepare", die)
        assert (await one.swap()).status_code == 503
        assert await one.names() == []
    assert (await one.swap()).status_code == 204
    assert await one.names() == ["Restored"]


async def test_a_restore_brings_no_wider_field_choice_back(
    one: Restore, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, removed = uuid4(), uuid4()
    for connection in (kept, removed):
        await one.run(CHOOSE, connection)
    await suite.register(one.tenant, kept, ["name", "founded", "cik"])
    choice = f"/field-choices/{kept}/organisation"
    await suite.user(one.tenant, "PUT", choice, {"fields": ["name", "founded", "cik"]})
    prepare = swap.prepare

    async def prepare_and_withdraw(*arguments: Any) -> None:
        """The customer withdraws a field in the last moment before the decision."""
        await prepare(*arguments)
        await suite.user(one.tenant, "PUT", choice, {"fields": ["name", "founded"]})

    monkeypatch.setattr(swap, "prepare", prepare_and_withdraw)
    assert (await one.swap()).status_code == 204
    assert (await suite.user(one.tenant, "GET", choice)).json() == {"fields": ["name", "founded"]}
    gone = f"/field-choices/{removed}/organisation"
    assert (await suite.user(one.tenant, "GET", gone)).json() == {"fields": []}
    assert await one.names() == ["Restored"]


async def test_a_restore_brings_no_other_mapping_and_no_removed_connection_back(
    one: Restore, suite: Suite
) -> None:
    changed, removed, made = uuid4(), uuid4(), uuid4()
    for connection in (changed, removed):
        await one.run(MAP, connection, '{"organisation": ["name", "sector"]}')
        await one.run(CHOOSE, connection)
    await suite.register(one.tenant, changed, ["name"])
    await suite.register(one.tenant, made, ["cik"])
    assert (await one.swap()).status_code == 204
    for connection, field, status in (
        (changed, "name", 200),
        (changed, "sector", 422),
        (removed, "name", 404),
        (made, "cik", 200),
    ):
        path = f"/field-choices/{connection}/organisation"
        answer = await suite.user(one.tenant, "PUT", path, {"fields": [field]})
        assert answer.status_code == status, (connection, field)


async def test_a_choice_of_a_field_that_is_not_restored_goes(one: Restore, suite: Suite) -> None:
    await one.run("DELETE FROM module_field WHERE field = 'cik'")
    connection = uuid4()
    await suite.register(one.tenant, connection, ["name", "cik"])
    choice = f"/field-choices/{connection}/organisation"
    await suite.user(one.tenant, "PUT", choice, {"fields": ["name", "cik"]})
    assert (await one.swap()).status_code == 204
    assert (await suite.user(one.tenant, "GET", choice)).json() == {"fields": ["name"]}


async def test_an_entity_tag_of_the_old_history_fits_no_restored_record(
    one: Restore, suite: Suite
) -> None:
    body = {"fields": {"last_name": "Ada"}}
    made = await suite.user(one.tenant, "POST", "/records/person", body)
    record, path = made.json()["id"], f"/records/person/{made.json()['id']}"
    sql = "INSERT INTO record (id, module, data) VALUES ($1, 'person', $2)"
    await one.run(sql, record, '{"last_name": "Another"}')
    await one.swap()
    found = await suite.user(one.tenant, "GET", path)
    assert (found.json()["version"], made.json()["version"]) == (1, 1)
    late = await suite.user(one.tenant, "DELETE", path, if_match=made.headers["etag"])
    assert late.status_code == 412
    fresh = await suite.user(one.tenant, "DELETE", path, if_match=found.headers["etag"])
    assert fresh.status_code == 204


async def test_a_swap_holds_one_connection_of_the_pool_at_a_time(
    one: Restore, suite: Suite
) -> None:
    parts = suite.parts
    db = Database(parts.provisioning._db._engine.url.render_as_string(False), size=1)
    leases = Leases(db, suite.hands)
    directory = parts.restore_targets._addresses
    targets = RestoreTargets(db, suite.hands, leases, directory, parts.databases)
    restore_id = RestoreId(UUID(one.restore))
    await targets.swap(one.tenant, restore_id, one.database)
    await db.close()
    assert await one.names() == ["Restored"]


async def test_a_database_that_is_about_to_go_is_not_leased(one: Restore, suite: Suite) -> None:
    await suite.database.execute("UPDATE restore_target SET state = 'swapping', aside = 't_busy'")
    path = f"/tenants/{one.tenant}/leases"
    answer = await suite.peer("backup", "POST", path, {"purpose": "dump"})
    assert answer.status_code == 503
    await suite.database.execute("UPDATE restore_target SET state = 'open', aside = NULL")
