"""What decides about users asks the database who the caller is now, not a token of minutes ago."""

import asyncio
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.access import Grants, Scope
from contracts.ids import TenantId
from contracts.permissions import PERMISSIONS
from services.auth.levels import LEVELS, Level
from services.auth.store import tenants
from tests.services.auth.running_auth import Answer, Auth
from tests.services.auth.test_auth_service import CLOSED

INVITE, VIEW = ("POST", "/t/{tenant}/v1/users/invitations"), ("GET", "/t/{tenant}/v1/users")
LEVEL, AS_OPERATOR = ("PUT", "/t/{tenant}/v1/users/{user}/level"), ("POST", "/v1/invitations")
UNLOCK = ("DELETE", "/t/{tenant}/v1/users/{user}/lockout")
UNLOCK_OPERATOR = ("DELETE", "/v1/operators/{user}/lockout")
ASKED = [INVITE, VIEW, LEVEL, UNLOCK, AS_OPERATOR, UNLOCK_OPERATOR, ("GET", "/v1/me")]
LOGOUT = ("POST", "/v1/logout")  # it only ends what has ended already


async def called(
    auth: Auth,
    operation: tuple[str, str],
    tenant: UUID,
    token: str,
    user: object = "",
    /,
    **body: Any,
) -> Answer:
    """A request that a present administrator may make."""
    method, path = operation
    if operation in (INVITE, AS_OPERATOR):
        body = {"email": "new@a.example", "level": 25} | body
    if operation == AS_OPERATOR:
        body = {"tenant": None} | body
    if operation == LEVEL:
        body = {"level": 25} | body
    url = path.replace("{tenant}", str(tenant)).replace("{user}", str(user or uuid4()))
    headers = {"Authorization": f"Bearer {token}"}
    return await auth.client.request(method, url, json=body or None, headers=headers)


async def id_of(auth: Auth, token: str) -> str:
    return str((await auth.get("/v1/me", token)).json()["user"])


async def administrators(auth: Auth, *names: str) -> tuple[UUID, list[str]]:
    """A new tenant with these administrators and the access token of each."""
    first, *others = names
    tenant = await auth.tenant(f"{first}@a.example")
    tokens = [await auth.access(f"{first}@a.example", tenant)]
    for name in others:
        await auth.join(tenant, f"{name}@a.example", 80, tokens[0])
        tokens.append(await auth.access(f"{name}@a.example", tenant))
    return tenant, tokens


def test_every_closed_operation_but_logging_out_is_looked_at() -> None:
    assert set(ASKED) == set(CLOSED) - {LOGOUT}


@pytest.mark.parametrize("operation", ASKED)
async def test_after_logging_out_a_token_decides_nothing_any_more(
    auth: Auth, operation: tuple[str, str]
) -> None:
    tenant, (token, _) = await administrators(auth, "ada", "bob")
    if operation in (AS_OPERATOR, UNLOCK_OPERATOR):
        token = await auth.operator()
    assert (await auth.post("/v1/logout", None, token)).status_code == 204
    answer = await called(auth, operation, tenant, token)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the session has ended")


@pytest.mark.parametrize("operation", [INVITE, VIEW, LEVEL, UNLOCK])
async def test_a_demoted_administrator_is_none_at_once(
    auth: Auth, operation: tuple[str, str]
) -> None:
    tenant, (ada, bob) = await administrators(auth, "ada", "bob")
    reader = await auth.join(tenant, "reader@a.example", 25, ada)
    assert (await called(auth, operation, tenant, bob, reader)).is_success
    demoted = await called(auth, LEVEL, tenant, ada, await id_of(auth, bob), level=61)
    assert demoted.status_code == 200
    assert (await called(auth, operation, tenant, bob, reader)).status_code == 403


async def test_a_demoted_operator_unlocks_nobody(auth: Auth) -> None:
    root = await auth.operator()
    user = await id_of(auth, root)
    async with auth.db.write() as session:
        await session.run(text("UPDATE users SET level = 25 WHERE tenant IS NULL"))
    assert (await called(auth, UNLOCK_OPERATOR, uuid4(), root, user)).status_code == 403


@pytest.mark.parametrize("inside", [True, False])
async def test_a_demoted_operator_invites_nobody(auth: Auth, inside: bool) -> None:
    root, tenant = await auth.operator(), uuid4()
    auth.directory[tenant] = "active"
    async with auth.db.write() as session:
        await session.run(text("UPDATE users SET level = 25 WHERE tenant IS NULL"))
    whom = {"tenant": str(tenant) if inside else None}
    assert (await called(auth, AS_OPERATOR, tenant, root, **whom)).status_code == 403
    async with auth.db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM users")) == 1


@pytest.mark.parametrize("operation", [INVITE, LEVEL])
async def test_nobody_gives_what_they_have_no_more(
    auth: Auth, operation: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The present level still manages users, but holds less than the level in the token."""
    grants = Grants(PERMISSIONS, {"configuration.users_manage": Scope.ALL})
    levels = cast("dict[int, Level]", LEVELS["tenant"])
    monkeypatch.setitem(levels, 70, Level(70, "manager", grants))
    monkeypatch.setitem(levels, 1, Level(1, "nothing", Grants(PERMISSIONS, {})))
    tenant, (ada, bob) = await administrators(auth, "ada", "bob")
    nobody = await auth.join(tenant, "nobody@a.example", 1, ada)
    await called(auth, LEVEL, tenant, ada, await id_of(auth, bob), level=70)
    assert (await called(auth, operation, tenant, bob, nobody, level=80)).status_code == 403
    assert (await called(auth, operation, tenant, bob, nobody, level=1)).is_success


async def test_of_two_who_demote_each_other_at_once_one_is_too_late(auth: Auth) -> None:
    """Both have begun as administrators; a third one stays, so that this is not what stops them."""
    tenant, (ada, bob, _) = await administrators(auth, "ada", "bob", "third")
    ids = [await id_of(auth, token) for token in (ada, bob)]
    async with auth.db.write() as session:
        await tenants.lock(session, TenantId(tenant))
        both = asyncio.gather(
            called(auth, LEVEL, tenant, ada, ids[1]), called(auth, LEVEL, tenant, bob, ids[0])
        )
        await auth.all_wait(2)
    assert sorted(answer.status_code for answer in await both) == [200, 403]


async def test_a_promoted_user_is_shown_as_promoted_with_the_old_token(auth: Auth) -> None:
    """A token opens no more than it says, but `me` says what the next one will."""
    tenant, (ada,) = await administrators(auth, "ada")
    user = await auth.join(tenant, "bob@a.example", 25, ada)
    bob = await auth.access("bob@a.example", tenant)
    await called(auth, LEVEL, tenant, ada, user, level=80)
    assert (await auth.get("/v1/me", bob)).json()["level"] == 80
    assert (await called(auth, VIEW, tenant, bob)).status_code == 403
