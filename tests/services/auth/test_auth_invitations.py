"""Invitations are the only way in: they work once, end, and lift nobody above the inviter."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from contracts.ids import TenantId
from services.auth.invitation import invite
from services.auth.store import users
from tests.services.auth.running_auth import PASSWORD, Answer, Auth


async def invited(auth: Auth, tenant: UUID, email: str, level: int, token: str) -> Answer:
    body = {"email": email, "level": level}
    return await auth.post(f"/t/{tenant}/v1/users/invitations", body, token)


async def test_an_invitation_works_once(auth: Auth) -> None:
    tenant = uuid4()
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "ada@a.example")
    assert (await auth.accept(invitation, tenant=tenant)).status_code == 200
    second = await auth.accept(invitation, "another tractor under moons", tenant)
    assert (second.status_code, second.json()["type"]) == (404, "/problems/invitation-not-valid")
    assert (await auth.login("ada@a.example", PASSWORD, tenant)).status_code == 200


async def test_of_two_who_accept_at_once_one_joins(auth: Auth) -> None:
    tenant = uuid4()
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "ada@a.example")
    answers = await asyncio.gather(*(auth.accept(invitation, tenant=tenant) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


async def test_an_invitation_ends_after_three_days(auth: Auth) -> None:
    tenant = uuid4()
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "ada@a.example")
    auth.clock.ahead = timedelta(hours=72, seconds=1)
    assert (await auth.accept(invitation, tenant=tenant)).status_code == 404


async def test_inviting_again_replaces_the_first_invitation(auth: Auth) -> None:
    tenant = uuid4()
    auth.directory[tenant] = "active"
    first = await auth.invite_first(tenant, "ada@a.example")
    second = await auth.invite_first(tenant, "ADA@a.example")
    assert (await auth.accept(first, tenant=tenant)).status_code == 404
    assert (await auth.accept(second, tenant=tenant)).status_code == 200


async def test_an_invitation_holds_for_its_own_tenant_only(auth: Auth) -> None:
    tenant = uuid4()
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "ada@a.example")
    for other in (uuid4(), None):
        assert (await auth.accept(invitation, tenant=other)).status_code == 404
    assert (await auth.accept(invitation, tenant=tenant)).status_code == 200


async def test_a_weak_password_leaves_the_invitation_open(auth: Auth) -> None:
    tenant = uuid4()
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "ada@a.example")
    answer = await auth.accept(invitation, "passwordpassword", tenant)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/password"]
    assert "passwordpassword" not in answer.text
    assert (await auth.accept(invitation, tenant=tenant)).status_code == 200


async def test_operators_invite_operators(auth: Auth) -> None:
    root = await auth.operator()
    body = {"tenant": None, "email": "second@platform.example", "level": 25}
    answer = await auth.post("/v1/invitations", body, root)
    assert (await auth.accept(answer.json()["invitation"])).status_code == 200
    reader = await auth.access("second@platform.example")
    assert (await auth.post("/v1/invitations", body, reader)).status_code == 403


async def test_once_somebody_has_joined_operators_invite_nobody_into_the_tenant(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    body = {"tenant": str(tenant), "email": "spy@platform.example", "level": 80}
    answer = await auth.post("/v1/invitations", body, await auth.operator())
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/tenant-has-users")


async def test_an_unknown_tenant_is_asked_for_before_it_is_refused(auth: Auth) -> None:
    asked = auth.asked
    body = {"tenant": str(uuid4()), "email": "ada@a.example", "level": 80}
    assert (await auth.post("/v1/invitations", body, await auth.operator())).status_code == 404
    assert auth.asked == asked + 1


async def test_administrators_invite_users_of_their_tenant(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    user = await auth.join(tenant, "bob@a.example", 61, admin)
    me = await auth.get("/v1/me", await auth.access("bob@a.example", tenant))
    assert (me.json()["user"], me.json()["level"]) == (str(user), 61)


async def test_who_has_joined_is_not_invited_again(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    answer = await invited(auth, tenant, "ada@a.example", 25, admin)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/user-exists")


@pytest.mark.parametrize("level", [61, 25])
async def test_without_the_permission_nobody_invites(auth: Auth, level: int) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    await auth.join(tenant, "bob@a.example", level, admin)
    bob = await auth.access("bob@a.example", tenant)
    assert (await invited(auth, tenant, "eve@a.example", 25, bob)).status_code == 403


@pytest.mark.parametrize("level", [1, 62, 99])
async def test_a_level_that_is_not_shipped_is_refused(auth: Auth, level: int) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    answer = await invited(auth, tenant, "bob@a.example", level, admin)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/level"]


async def test_notices_of_joining_carry_ids_only(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    told = [one for one in await auth.outbox() if one["data"]["tenant"] == str(tenant)]
    assert [one["type"] for one in told] == ["auth.user.invited.v1", "auth.user.joined.v1"]
    assert all(one["data"].keys() == {"tenant", "user"} for one in told)


@pytest.mark.parametrize(
    "email", ["", "x", "@a.example", "ada@", "a b@a.example", "a@b@c", "a@" + "b" * 260, 7, None]
)
async def test_what_is_no_address_is_refused(auth: Auth, email: object) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    body = {"email": email, "level": 25}
    answer = await auth.post(f"/t/{tenant}/v1/users/invitations", body, admin)
    assert answer.status_code == 422


async def test_of_many_invitations_at_once_of_one_address_the_last_holds(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    made = await asyncio.gather(
        *(invited(auth, tenant, "bob@a.example", 25, admin) for _ in range(5))
    )
    assert [answer.status_code for answer in made] == [201] * 5
    tokens = [answer.json()["invitation"] for answer in made]
    joined = [(await auth.accept(token, tenant=tenant)).status_code for token in tokens]
    assert sorted(joined) == [200, 404, 404, 404, 404]


async def test_who_joins_while_being_invited_again_keeps_password_and_level(auth: Auth) -> None:
    """Otherwise the second invitation would set another password."""
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    await invited(auth, tenant, "bob@a.example", 61, admin)
    async with auth.db.write() as session:
        bob = await users.by_email(session, TenantId(tenant), "bob@a.example")
        assert bob
        assert await users.join(session, bob.id, "a hash", auth.clock())
        again = asyncio.create_task(invited(auth, tenant, "bob@a.example", 25, admin))
        await auth.all_wait(1)
    answer = await again
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/user-exists")
    async with auth.db.read() as reading:
        kept = await users.by_id(reading, bob.id)
    assert kept
    assert (kept.level, kept.password_hash) == (61, "a hash")


async def test_an_invitation_that_is_replaced_while_it_is_accepted_is_not_valid(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    first = (await invited(auth, tenant, "bob@a.example", 61, admin)).json()["invitation"]
    async with auth.db.write() as session:
        second = await invite(session, TenantId(tenant), "bob@a.example", 25, auth.clock())
        accepting = asyncio.create_task(auth.accept(first, tenant=tenant))
        await auth.all_wait(1)
    assert (await accepting).status_code == 404
    assert (await auth.login("bob@a.example", tenant=tenant)).status_code == 401
    assert (await auth.accept(second.token, tenant=tenant)).status_code == 200


async def test_nobody_joins_twice(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    token = (await invited(auth, tenant, "bob@a.example", 61, admin)).json()["invitation"]
    async with auth.db.write() as session:
        bob = await users.by_email(session, TenantId(tenant), "bob@a.example")
        assert bob
        assert await users.join(session, bob.id, "a hash", auth.clock())
        accepting = asyncio.create_task(auth.accept(token, tenant=tenant))
        await auth.all_wait(1)
    answer = await accepting
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/invitation-not-valid")


async def test_accepting_and_inviting_again_at_once_never_both_succeed(auth: Auth) -> None:
    """Nor do they stop each other for good: both take their locks in the same order."""
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    for turn in range(12):
        email = f"user{turn}@a.example"
        first = (await invited(auth, tenant, email, 61, admin)).json()["invitation"]
        accepted, again = await asyncio.gather(
            auth.accept(first, tenant=tenant), invited(auth, tenant, email, 25, admin)
        )
        assert (accepted.status_code, again.status_code) in [(200, 409), (404, 201)]


async def test_an_invitation_is_accepted_where_its_answer_says(auth: Auth) -> None:
    root, tenant = await auth.operator(), await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    new = uuid4()
    auth.directory[new] = "active"
    answers = [
        await auth.post("/v1/invitations", {"tenant": None, "email": "b@b.b", "level": 25}, root),
        await auth.post(
            "/v1/invitations", {"tenant": str(new), "email": "c@c.c", "level": 80}, root
        ),
        await invited(auth, tenant, "d@d.d", 25, admin),
    ]
    for answer in answers:
        body = {"token": answer.json()["invitation"], "password": PASSWORD}
        assert answer.status_code == 201
        assert (await auth.post(answer.headers["location"], body)).status_code == 200


async def test_the_key_set_may_be_kept_for_a_while(auth: Auth) -> None:
    answer = await auth.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=30"
