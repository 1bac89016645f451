"""Levels: what they grant, who may change them, and that one administrator always stays."""

import asyncio
from itertools import pairwise
from typing import cast
from uuid import UUID, uuid4

import pytest

from contracts.access import Grants, Scope
from contracts.permissions import OPERATOR_PERMISSIONS, PERMISSIONS
from services.auth.levels import ADMINISTRATOR, LEVELS, READ_ONLY, STANDARD, Level
from tests.services.auth.running_auth import Answer, Auth

TENANT, OPERATORS = LEVELS["tenant"], LEVELS["operators"]


def test_an_administrator_has_everything() -> None:
    assert dict(TENANT[ADMINISTRATOR].grants) == dict.fromkeys(PERMISSIONS, Scope.ALL)
    assert dict(OPERATORS[ADMINISTRATOR].grants) == dict.fromkeys(OPERATOR_PERMISSIONS, Scope.ALL)


def test_export_import_and_bulk_are_never_implied() -> None:
    for number in (STANDARD, READ_ONLY):
        actions = {permission.split(".")[1] for permission in TENANT[number].grants}
        assert not actions & {"export", "import", "bulk_edit", "merge", "erase"}
        modules = {permission.split(".")[0] for permission in TENANT[number].grants}
        assert not modules & {"export", "configuration", "connection", "backup", "tenant", "audit"}


def test_read_only_changes_nothing() -> None:
    changing = {"create", "edit", "delete", "assign", "share", "send", "close", "approve"}
    for levels in (TENANT, OPERATORS):
        actions = {permission.split(".")[1] for permission in levels[READ_ONLY].grants}
        assert not actions & changing


def test_standard_edits_what_one_is_responsible_for() -> None:
    grants = TENANT[STANDARD].grants
    assert grants["organisation.edit"] is Scope.OWN2
    assert grants["organisation.delete"] is Scope.OWN
    assert grants["organisation.view"] is Scope.ALL


def test_each_level_holds_the_ones_below() -> None:
    for levels in LEVELS.values():
        ordered = [levels[number].grants for number in sorted(levels, reverse=True)]
        assert all(wide.covers(narrow) for wide, narrow in pairwise(ordered))


async def put_level(auth: Auth, tenant: UUID, user: object, level: int, token: str) -> Answer:
    return await auth.put(f"/t/{tenant}/v1/users/{user}/level", {"level": level}, token)


async def my_id(auth: Auth, token: str) -> str:
    return str((await auth.get("/v1/me", token)).json()["user"])


async def test_a_changed_level_holds_from_the_next_refresh_on(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    bob = await auth.join(tenant, "bob@a.example", 25, admin)
    tokens = await auth.logged_in("bob@a.example", tenant)
    answer = await put_level(auth, tenant, bob, 61, admin)
    assert (answer.status_code, answer.json()["level"]) == (200, 61)
    fresh = (await auth.refresh(tokens["refresh_token"], tenant)).json()["access_token"]
    assert (await auth.get("/v1/me", fresh)).json()["level"] == 61
    told = [one["data"] for one in await auth.outbox() if one["type"] == "auth.level.changed.v1"]
    assert told == [{"tenant": str(tenant), "user": str(bob)}]


async def test_the_last_administrator_keeps_its_level(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    await auth.post(
        f"/t/{tenant}/v1/users/invitations", {"email": "new@a.example", "level": 80}, admin
    )
    answer = await put_level(auth, tenant, await my_id(auth, admin), 61, admin)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/last-administrator")


async def test_of_two_administrators_who_step_down_at_once_one_stays(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    ada = await auth.access("ada@a.example", tenant)
    await auth.join(tenant, "bob@a.example", 80, ada)
    bob = await auth.access("bob@a.example", tenant)
    answers = await asyncio.gather(
        put_level(auth, tenant, await my_id(auth, ada), 25, ada),
        put_level(auth, tenant, await my_id(auth, bob), 25, bob),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_users_of_another_tenant_cannot_be_seen_or_changed(auth: Auth) -> None:
    one, two = await auth.tenant("ada@a.example"), await auth.tenant("eve@b.example")
    ada, eve = await auth.access("ada@a.example", one), await auth.access("eve@b.example", two)
    victim = await my_id(auth, ada)
    assert (await put_level(auth, one, victim, 25, eve)).status_code == 404
    assert (await put_level(auth, two, victim, 25, eve)).status_code == 404
    assert (await auth.get(f"/t/{one}/v1/users", eve)).status_code == 404
    listed = (await auth.get(f"/t/{two}/v1/users", eve)).json()["users"]
    assert [user["email"] for user in listed] == ["eve@b.example"]
    assert (await put_level(auth, two, uuid4(), 25, eve)).status_code == 404


async def test_the_list_shows_who_has_joined(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    await auth.post(
        f"/t/{tenant}/v1/users/invitations", {"email": "bob@a.example", "level": 25}, admin
    )
    listed = (await auth.get(f"/t/{tenant}/v1/users", admin)).json()["users"]
    assert [(one["email"], one["level"], one["state"]) for one in listed] == [
        ("ada@a.example", 80, "joined"),
        ("bob@a.example", 25, "invited"),
    ]
    assert "password" not in str(listed)


@pytest.mark.parametrize("level", [61, 25])
async def test_without_the_permission_nobody_lists_or_changes(auth: Auth, level: int) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    bob = await auth.join(tenant, "bob@a.example", level, admin)
    token = await auth.access("bob@a.example", tenant)
    assert (await put_level(auth, tenant, bob, 80, token)).status_code == 403
    assert (await auth.get(f"/t/{tenant}/v1/users", token)).status_code == 403


async def test_nobody_gives_or_takes_more_than_they_have(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A level of a customer's own that manages users but is no administrator."""
    grants = dict(TENANT[STANDARD].grants) | {"configuration.users_manage": Scope.ALL}
    manager = Level(70, "manager", Grants(PERMISSIONS, grants))
    monkeypatch.setitem(cast("dict[int, Level]", TENANT), 70, manager)
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    ada = await my_id(auth, admin)
    bob = await auth.join(tenant, "bob@a.example", 25, admin)
    await auth.join(tenant, "max@a.example", 70, admin)
    token = await auth.access("max@a.example", tenant)
    assert (await put_level(auth, tenant, bob, ADMINISTRATOR, token)).status_code == 403
    assert (await put_level(auth, tenant, ada, READ_ONLY, token)).status_code == 403
    assert (await put_level(auth, tenant, bob, STANDARD, token)).json()["level"] == STANDARD
