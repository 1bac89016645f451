"""Sessions: refresh tokens work once, theft ends the family, log-out ends it for good."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from contracts.credentials import actor_of
from contracts.permissions import PERMISSIONS
from kit import strict_json
from kit.base64url import decode
from kit.http import parts_of
from kit.tokens import Verifier, from_jwks
from services.auth.parts import AuthParts
from tests.services.auth.running_auth import Auth


async def rotated(auth: Auth, token: str, tenant: Any) -> str:
    answer = await auth.refresh(token, tenant)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


async def revoked(auth: Auth) -> list[Any]:
    told = await auth.outbox()
    return [one["data"] for one in told if one["type"] == "auth.session.revoked.v1"]


async def test_an_access_token_holds_under_the_published_keys(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    token = await auth.access("ada@a.example", tenant)
    keys = from_jwks((await auth.get("/.well-known/jwks.json")).content)
    claims = Verifier(keys, "https://bulkhead", "bulkhead", 300).verify(token, auth.clock())
    names = {"iss", "aud", "sub", "sid", "rlm", "tid", "lvl", "lvv", "cat", "grt", "iat", "exp"}
    assert claims.keys() == names
    assert strict_json.loads(decode(token.split(".")[0])).keys() == {"alg", "typ", "kid"}
    actor = actor_of(claims)
    assert (actor.realm, actor.tenant, actor.level) == ("tenant", tenant, 80)
    assert set(actor.grants) == set(PERMISSIONS)


async def test_me_names_the_user_and_what_it_may_do(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example", level=25)
    me = (await auth.get("/v1/me", await auth.access("ada@a.example", tenant))).json()
    assert me.keys() == {"user", "realm", "tenant", "email", "level", "access"}
    assert (me["realm"], me["tenant"], me["email"]) == ("tenant", str(tenant), "ada@a.example")
    assert me["access"]["organisation.view"] == "all"
    assert "organisation.edit" not in me["access"]
    operator = (await auth.get("/v1/me", await auth.operator())).json()
    assert (operator["realm"], operator["tenant"]) == ("operators", None)
    assert "tenant.create" in operator["access"]


async def test_a_refresh_token_works_once(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    first = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    second = await rotated(auth, first, tenant)
    third = await rotated(auth, second, tenant)
    assert len({first, second, third}) == 3
    assert (await auth.refresh(first, tenant)).status_code == 401
    assert (await auth.refresh(third, tenant)).status_code == 401


async def test_reuse_of_an_old_token_ends_the_session_and_tells_everybody(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    tokens = await auth.logged_in("ada@a.example", tenant)
    second = await rotated(auth, tokens["refresh_token"], tenant)
    auth.clock.ahead += timedelta(seconds=11)
    assert (await auth.refresh(tokens["refresh_token"], tenant)).status_code == 401
    assert (await auth.refresh(second, tenant)).status_code == 401
    assert (await auth.get("/v1/me", tokens["access_token"])).status_code == 401
    assert len(await revoked(auth)) == 1


async def test_a_lost_answer_may_be_asked_for_again(auth: Auth) -> None:
    """The immediate parent gets the same successor within ten seconds, also at the same moment."""
    tenant = await auth.tenant("ada@a.example")
    first = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    answers = await asyncio.gather(*(rotated(auth, first, tenant) for _ in range(4)))
    assert len(set(answers)) == 1
    assert await rotated(auth, answers[0], tenant)
    assert await revoked(auth) == []


async def test_a_token_of_another_realm_or_tenant_is_unknown(auth: Auth) -> None:
    one, two = await auth.tenant("ada@a.example"), await auth.tenant("ada@a.example")
    token = (await auth.logged_in("ada@a.example", one))["refresh_token"]
    for other in (two, None, uuid4()):
        assert (await auth.refresh(token, other)).status_code == 401
    assert (await auth.refresh("A" * 43, one)).status_code == 401
    assert await rotated(auth, token, one)


async def test_refresh_tokens_and_sessions_expire(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    token = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    for _ in range(5):
        auth.clock.ahead += timedelta(days=6)
        if auth.clock.ahead < timedelta(days=30):
            token = await rotated(auth, token, tenant)
    assert (await auth.refresh(token, tenant)).status_code == 401
    idle = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    auth.clock.ahead += timedelta(days=7, seconds=1)
    assert (await auth.refresh(idle, tenant)).status_code == 401


async def test_logging_out_ends_the_session_and_tells_everybody_once(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    tokens = await auth.logged_in("ada@a.example", tenant)
    other = await auth.logged_in("ada@a.example", tenant)
    for _ in range(2):
        assert (await auth.post("/v1/logout", None, tokens["access_token"])).status_code == 204
    assert (await auth.get("/v1/me", tokens["access_token"])).status_code == 401
    assert (await auth.refresh(tokens["refresh_token"], tenant)).status_code == 401
    assert (await auth.get("/v1/me", other["access_token"])).status_code == 200
    told = await revoked(auth)
    assert [one["tenant"] for one in told] == [str(tenant)]


async def test_the_database_holds_no_secret_that_works(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    first = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    second = await rotated(auth, first, tenant)
    async with auth.db.read() as session:
        dump = []
        for table in ("users", "invitation", "session", "refresh_token", "outbox"):
            dump += await session.all(text(f"SELECT * FROM {table}"))
    everything = repr(dump).encode() + b"".join(
        value for row in dump for value in row.values() if isinstance(value, bytes)
    )
    for secret in (first, second):
        assert secret.encode() not in everything
        assert decode(secret) not in everything


async def test_old_sessions_are_forgotten(auth: Auth) -> None:
    from services.auth import login, sessions

    tenant = await auth.tenant("ada@a.example")
    await auth.logged_in("ada@a.example", tenant)
    await auth.login("nobody@a.example", tenant=tenant)
    auth.clock.ahead += timedelta(days=32)
    await sessions.forget_old(parts_of(auth.app, AuthParts))
    await login.forget_old(parts_of(auth.app, AuthParts))
    async with auth.db.read() as session:
        for table in ("session", "refresh_token", "login_attempt"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
