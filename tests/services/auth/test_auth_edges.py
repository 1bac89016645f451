"""Limits at their edge: what holds a moment before its end, and no more at it."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from kit.http import parts_of
from kit.tokens import Verifier, from_jwks
from services.auth import login, sessions
from services.auth.parts import AuthParts
from tests.services.auth.running_auth import Auth

WRONG = "wrong tractor under nine moons"
MOMENT = timedelta(microseconds=1)
DAY = timedelta(days=1)


async def my_id(auth: Auth, token: str) -> str:
    return str((await auth.get("/v1/me", token)).json()["user"])


async def test_a_session_counts_until_its_end_and_no_moment_longer(auth: Auth) -> None:
    """The token of a session is still good then: who asks the database is told of the end."""
    tenant = await auth.tenant("ada@a.example")
    auth.clock.stop()
    token = await auth.access("ada@a.example", tenant)
    auth.clock.ahead = 30 * DAY - MOMENT
    assert (await auth.get("/v1/me", token)).status_code == 200
    auth.clock.ahead = 30 * DAY
    assert (await auth.get("/v1/me", token)).status_code == 401


async def test_refreshing_carries_a_session_to_its_end_and_no_moment_further(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    auth.clock.stop()
    token = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    for days in (6, 12, 18, 24, 29):
        auth.clock.ahead = days * DAY
        token = (await auth.refresh(token, tenant)).json()["refresh_token"]
    auth.clock.ahead = 30 * DAY - MOMENT
    answer = await auth.refresh(token, tenant)
    assert answer.status_code == 200
    auth.clock.ahead = 30 * DAY
    assert (await auth.refresh(answer.json()["refresh_token"], tenant)).status_code == 401
    async with auth.db.read() as session:
        beyond = "SELECT count(*) FROM refresh_token t JOIN session s ON s.id = t.session"
        assert not await session.scalar(text(f"{beyond} WHERE t.expires_at > s.ends_at"))


async def test_a_refresh_token_rests_for_seven_days_and_no_moment_longer(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    auth.clock.stop()
    one, two = [(await auth.logged_in("ada@a.example", tenant))["refresh_token"] for _ in "ab"]
    auth.clock.ahead = 7 * DAY - MOMENT
    second = await auth.refresh(one, tenant)
    assert second.status_code == 200
    auth.clock.ahead = 7 * DAY
    assert (await auth.refresh(two, tenant)).status_code == 401
    auth.clock.ahead = 14 * DAY - MOMENT
    assert (await auth.refresh(second.json()["refresh_token"], tenant)).status_code == 401


async def test_an_invitation_holds_for_72_hours_and_no_moment_longer(auth: Auth) -> None:
    tenant, other = uuid4(), uuid4()
    auth.directory |= {tenant: "active", other: "active"}
    auth.clock.stop()
    first = await auth.invite_first(tenant, "ada@a.example")
    second = await auth.invite_first(other, "eve@b.example")
    auth.clock.ahead = timedelta(hours=72) - MOMENT
    assert (await auth.accept(first, tenant=tenant)).status_code == 200
    auth.clock.ahead = timedelta(hours=72)
    assert (await auth.accept(second, tenant=other)).status_code == 404


async def test_faulty_logins_outlive_the_sweep_for_a_day(auth: Auth) -> None:
    tenant, parts = await auth.tenant("ada@a.example"), parts_of(auth.app, AuthParts)
    auth.clock.stop()
    for _ in range(4):
        await auth.login("ada@a.example", WRONG, tenant)
    await login.forget_old(parts)
    assert (await auth.login("ada@a.example", tenant=tenant)).status_code == 429
    auth.clock.ahead = DAY
    await login.forget_old(parts)
    assert (await auth.login("ada@a.example", WRONG, tenant)).status_code == 429
    auth.clock.ahead = 2 * DAY + MOMENT
    await login.forget_old(parts)
    assert (await auth.login("ada@a.example", WRONG, tenant)).status_code == 401


async def test_sessions_are_forgotten_a_day_after_their_end_and_not_before(auth: Auth) -> None:
    tenant, parts = await auth.tenant("ada@a.example"), parts_of(auth.app, AuthParts)
    auth.clock.stop()
    ended = await auth.logged_in("ada@a.example", tenant)
    await auth.logged_in("ada@a.example", tenant)
    await auth.post("/v1/logout", None, ended["access_token"])
    for ahead, left in ((DAY, 2), (DAY + MOMENT, 1), (31 * DAY, 1), (31 * DAY + MOMENT, 0)):
        auth.clock.ahead = ahead
        await sessions.forget_old(parts)
        assert await kept(auth) == left


async def kept(auth: Auth) -> int:
    query = "SELECT count(*) FROM session s JOIN users u ON u.id = s.user_id"
    async with auth.db.read() as session:
        return int(await session.scalar(text(f"{query} WHERE u.tenant IS NOT NULL")))


async def test_the_block_lasts_fifteen_minutes_and_no_moment_longer(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    auth.clock.stop()
    for _ in range(4):
        await auth.login("ada@a.example", WRONG, tenant)
    auth.clock.ahead = timedelta(minutes=15) - MOMENT
    late = await auth.login("ada@a.example", tenant=tenant)
    assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    auth.clock.ahead = timedelta(minutes=15)
    assert (await auth.login("ada@a.example", tenant=tenant)).status_code == 200


async def test_a_blocked_name_is_not_looked_at_and_its_block_does_not_grow(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    auth.clock.stop()
    for _ in range(4):
        await auth.login("ada@a.example", WRONG, tenant)
    auth.clock.ahead = timedelta(minutes=10)
    for _ in range(3):
        blocked = await auth.login("ada@a.example", WRONG, tenant)
        assert blocked.headers["retry-after"] == "300"
    auth.clock.ahead = timedelta(minutes=15)
    assert (await auth.login("ada@a.example", tenant=tenant)).status_code == 200


async def test_an_administrator_who_is_only_invited_is_not_the_last_one(auth: Auth) -> None:
    """Its level may change: the one who has joined stays."""
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    body = {"email": "new@a.example", "level": 80}
    await auth.post(f"/t/{tenant}/v1/users/invitations", body, admin)
    users = (await auth.get(f"/t/{tenant}/v1/users", admin)).json()["users"]
    invited = next(one["id"] for one in users if one["state"] == "invited")
    answer = await auth.put(f"/t/{tenant}/v1/users/{invited}/level", {"level": 25}, admin)
    assert (answer.status_code, answer.json()["level"]) == (200, 25)


async def test_the_same_level_again_changes_nothing(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    path = f"/t/{tenant}/v1/users/{await my_id(auth, admin)}/level"
    assert (await auth.put(path, {"level": 80}, admin)).status_code == 200
    assert not [one for one in await auth.outbox() if one["type"] == "auth.level.changed.v1"]
    assert await level_version(auth) == 1


async def test_each_change_of_level_is_a_new_version_of_tokens(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    bob = await auth.join(tenant, "bob@a.example", 25, admin)
    for level in (61, 25):
        await auth.put(f"/t/{tenant}/v1/users/{bob}/level", {"level": level}, admin)
    token = await auth.access("bob@a.example", tenant)
    keys = from_jwks((await auth.get("/.well-known/jwks.json")).content)
    claims = Verifier(keys, "https://bulkhead", "bulkhead", 300).verify(token, auth.clock())
    assert (claims["lvl"], claims["lvv"]) == (25, 3)


async def level_version(auth: Auth) -> int:
    async with auth.db.read() as session:
        query = text("SELECT max(level_version) FROM users WHERE tenant IS NOT NULL")
        return int(await session.scalar(query))
