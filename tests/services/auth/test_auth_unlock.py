"""Unlocking a name: by administrators of the same realm, and it forgets the row of faulty ones."""

import asyncio
from uuid import UUID, uuid4

from contracts.ids import TenantId
from services.auth.lockout import ClientClass
from services.auth.store import attempts
from tests.services.auth.running_auth import Auth

WRONG = "wrong tractor under nine moons"


async def my_id(auth: Auth, token: str) -> str:
    return str((await auth.get("/v1/me", token)).json()["user"])


async def locked(auth: Auth, email: str, tenant: UUID | None) -> None:
    for _ in range(4):
        await auth.login(email, WRONG, tenant)
    assert (await auth.login(email, tenant=tenant)).status_code == 429


async def locked_user(auth: Auth) -> tuple[UUID, str, UUID]:
    """A tenant, its administrator's token, and a user of it who is locked."""
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    bob = await auth.join(tenant, "bob@a.example", 25, admin)
    await locked(auth, "bob@a.example", tenant)
    return tenant, admin, bob


async def test_an_administrator_unlocks_a_user_and_the_row_starts_afresh(auth: Auth) -> None:
    tenant, admin, bob = await locked_user(auth)
    for _ in range(2):
        answer = await auth.delete(f"/t/{tenant}/v1/users/{bob}/lockout", admin)
        assert (answer.status_code, answer.content) == (204, b"")
    for _ in range(3):
        assert (await auth.login("bob@a.example", WRONG, tenant)).status_code == 401
    assert (await auth.login("bob@a.example", tenant=tenant)).status_code == 200


async def test_unlocking_one_name_leaves_the_others_locked(auth: Auth) -> None:
    tenant, admin, bob = await locked_user(auth)
    await auth.join(tenant, "eve@a.example", 25, admin)
    await locked(auth, "eve@a.example", tenant)
    await locked(auth, "nobody@a.example", tenant)
    assert (await auth.delete(f"/t/{tenant}/v1/users/{bob}/lockout", admin)).status_code == 204
    for email in ("eve@a.example", "nobody@a.example"):
        assert (await auth.login(email, tenant=tenant)).status_code == 429


async def test_the_same_address_in_another_realm_stays_locked(auth: Auth) -> None:
    tenant, admin, bob = await locked_user(auth)
    other = await auth.tenant("bob@a.example")
    await locked(auth, "bob@a.example", other)
    await auth.delete(f"/t/{tenant}/v1/users/{bob}/lockout", admin)
    assert (await auth.login("bob@a.example", tenant=other)).status_code == 429


async def test_nobody_unlocks_users_of_another_tenant_or_operators(auth: Auth) -> None:
    tenant, _, bob = await locked_user(auth)
    other = await auth.tenant("eve@b.example")
    eve, root = await auth.access("eve@b.example", other), await auth.operator()
    for place, who, token in (
        (f"/t/{other}/v1/users", bob, eve),
        (f"/t/{tenant}/v1/users", bob, eve),
        (f"/t/{other}/v1/users", await my_id(auth, root), eve),
        (f"/t/{other}/v1/users", uuid4(), eve),
        ("/v1/operators", bob, root),
        ("/v1/operators", uuid4(), root),
    ):
        assert (await auth.delete(f"{place}/{who}/lockout", token)).status_code == 404
    assert (await auth.login("bob@a.example", tenant=tenant)).status_code == 429


async def test_without_the_permission_nobody_unlocks(auth: Auth) -> None:
    tenant, admin, bob = await locked_user(auth)
    await auth.join(tenant, "reader@a.example", 61, admin)
    reader = await auth.access("reader@a.example", tenant)
    assert (await auth.delete(f"/t/{tenant}/v1/users/{bob}/lockout", reader)).status_code == 403
    assert (await auth.delete(f"/v1/operators/{bob}/lockout", admin)).status_code == 403
    assert (await auth.login("bob@a.example", tenant=tenant)).status_code == 429


async def test_an_operator_who_is_in_unlocks_operators(auth: Auth) -> None:
    """Also itself: a lockout stops logins, not a session."""
    root = await auth.operator()
    await locked(auth, "root@platform.example", None)
    user = await my_id(auth, root)
    for _ in range(2):
        assert (await auth.delete(f"/v1/operators/{user}/lockout", root)).status_code == 204
    assert (await auth.login("root@platform.example")).status_code == 200


async def test_a_session_that_is_in_goes_on_while_its_name_is_locked(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    tokens = await auth.logged_in("ada@a.example", tenant)
    await locked(auth, "ada@a.example", tenant)
    fresh = await auth.refresh(tokens["refresh_token"], tenant)
    assert fresh.status_code == 200
    assert (await auth.get("/v1/me", fresh.json()["access_token"])).status_code == 200


async def test_an_attempt_that_is_being_looked_at_counts_no_more_after_unlocking(
    auth: Auth,
) -> None:
    """The deletion waits for the row's lock; it does not pass it by."""
    tenant, admin, bob = await locked_user(auth)
    async with auth.db.write() as session:
        name = attempts.name_of(TenantId(tenant), "bob@a.example", ClientClass.UNKNOWN)
        so_far = await attempts.lock(session, name, auth.clock())
        path = f"/t/{tenant}/v1/users/{bob}/lockout"
        unlocking = asyncio.create_task(auth.delete(path, admin))
        await auth.all_wait(1)
        await attempts.save(session, name, so_far)
    assert (await unlocking).status_code == 204
    assert (await auth.login("bob@a.example", tenant=tenant)).status_code == 200
