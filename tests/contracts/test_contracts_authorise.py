"""The rules by which operations let callers in, seen from outside: a route for each."""

import contextlib
import time
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from contracts.access import Grants, Scope
from contracts.authorise import (
    needs,
    needs_login,
    needs_module,
    needs_operator,
    needs_service,
    permitted,
    public,
)
from contracts.credentials import (
    ACCESS_AUDIENCE,
    AccessVerifier,
    Actor,
    CallerVerifier,
    ServiceAuth,
    claims_of,
)
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import ALL_PERMISSIONS, OPERATOR_PERMISSIONS, PERMISSIONS
from kit.http import build_app, put
from kit.problems import NotPermitted
from kit.sealing import SigningKey
from kit.tokens import KeySet, Signer

ISSUER = "https://test"
TENANT, OTHER = uuid4(), uuid4()
KEY = SigningKey.generate()
PEERS = {name: SigningKey.generate() for name in ("sync", "backup")}
router = APIRouter()


@router.get("/t/{tenant}/one")
async def one(actor: Annotated[Actor, needs("backup.view")]) -> UUID:
    return actor.user


@router.get("/t/{tenant}/module/{module}")
async def of_module(actor: Annotated[Actor, needs_module("view")]) -> UUID:
    return actor.user


@router.get("/operators")
async def of_operators(actor: Annotated[Actor, needs_operator("tenant.view")]) -> UUID:
    return actor.user


@router.get("/login")
async def logged_in(actor: Annotated[Actor, needs_login()]) -> UUID:
    return actor.user


@router.get("/internal")
async def internal(caller: Annotated[str, needs_service("sync")]) -> str:
    return caller


@router.get("/public", dependencies=[public()])
async def anybody() -> str:
    return "hello"


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI):
    yield


@pytest.fixture
async def app() -> FastAPI:
    async def keys() -> dict[str, Any]:
        return {"k": KEY.public}

    app = build_app(title="test", routers=[router], checks={}, lifespan=lifespan)
    ring = KeySet(keys)
    await ring.fetch()
    put(app, AccessVerifier(ring, ISSUER))
    publics = {name: key.public.to_base64url() for name, key in PEERS.items()}
    put(app, CallerVerifier("here", publics))
    return app


def token(*granted: str, realm: Any = "tenant", tenant: UUID = TENANT) -> str:
    grants = Grants(ALL_PERMISSIONS[realm], dict.fromkeys(granted, Scope.OWN))
    whose = TenantId(tenant) if realm == "tenant" else None
    actor = Actor(realm, UserId(uuid4()), whose, SessionId(uuid4()), 10, grants)
    now = int(time.time())
    times = {"iss": ISSUER, "aud": ACCESS_AUDIENCE, "iat": now, "exp": now + 300}
    return Signer(KEY, "k").sign(claims_of(actor, 1) | times)


async def ask(app: FastAPI, path: str, *authorization: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        headers = [("authorization", one) for one in authorization]
        return await client.get(path, headers=headers)


async def status(app: FastAPI, path: str, text: str) -> int:
    return (await ask(app, path, f"Bearer {text}")).status_code


async def test_the_permission_that_is_asked_for_lets_in_and_no_other_does(app):
    path = f"/t/{TENANT}/one"
    assert await status(app, path, token("backup.view")) == 200
    others = [name for name in PERMISSIONS if name != "backup.view"]
    answer = await ask(app, path, f"Bearer {token(*others)}")
    assert (answer.status_code, answer.json()["detail"]) == (403, "needs backup.view")


async def test_another_tenants_token_finds_nothing_whatever_it_may_do(app):
    everything = token(*PERMISSIONS, tenant=OTHER)
    operators = token(*OPERATOR_PERMISSIONS, realm="operators")
    for path in (f"/t/{TENANT}/one", f"/t/{TENANT}/module/person"):
        assert await status(app, path, everything) == 404
        assert await status(app, path, operators) == 404
    assert await status(app, "/t/no-uuid/one", everything) == 404


async def test_a_module_needs_its_own_permission_and_an_unknown_one_is_nothing(app):
    text = token("person.view")
    assert await status(app, f"/t/{TENANT}/module/person", text) == 200
    assert await status(app, f"/t/{TENANT}/module/organisation", text) == 403
    assert await status(app, f"/t/{TENANT}/module/nonsense", text) == 404


async def test_operators_operations_refuse_every_tenants_token(app):
    assert await status(app, "/operators", token("tenant.view", realm="operators")) == 200
    answer = await ask(app, "/operators", f"Bearer {token(*PERMISSIONS)}")
    assert (answer.status_code, "for operators" in answer.json()["detail"]) == (403, True)
    others = [name for name in OPERATOR_PERMISSIONS if name != "tenant.view"]
    assert await status(app, "/operators", token(*others, realm="operators")) == 403


async def test_a_login_is_enough_for_what_says_so_and_needed_even_there(app):
    assert await status(app, "/login", token()) == 200
    assert (await ask(app, "/login")).status_code == 401
    assert (await ask(app, "/public")).status_code == 200


async def test_a_service_is_let_in_by_name_audience_and_key(app):
    def of(name: str, audience: str = "here", key: SigningKey | None = None) -> str:
        return ServiceAuth(key or PEERS[name], name, audience).token()

    answer = await ask(app, "/internal", f"Bearer {of('sync')}")
    assert (answer.status_code, answer.json()) == (200, "sync")
    assert await status(app, "/internal", of("backup")) == 403
    assert await status(app, "/internal", of("sync", "elsewhere")) == 401
    assert await status(app, "/internal", of("sync", key=PEERS["backup"])) == 401
    assert await status(app, "/internal", of("nobody", key=PEERS["sync"])) == 401
    assert await status(app, "/internal", token(*PERMISSIONS)) == 401
    assert await status(app, "/login", of("sync")) == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
async def test_the_scheme_may_be_written_in_any_case(app, scheme):
    assert (await ask(app, "/login", f"{scheme} {token()}")).status_code == 200


@pytest.mark.parametrize(
    "line", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer{}", "Bearer {} {}", "Token {}"]
)
async def test_any_other_authorization_is_a_401_that_names_the_scheme(app, line):
    answer = await ask(app, "/login", line.replace("{}", token()))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_two_authorizations_are_none(app):
    text = f"Bearer {token()}"
    assert (await ask(app, "/login", text, text)).status_code == 401
    assert (await ask(app, "/login", text, "Bearer x")).status_code == 401


@pytest.mark.parametrize("scope", list(Scope))
def test_any_scope_but_none_permits_the_operation(scope):
    grants = Grants(PERMISSIONS, {"person.view": scope})
    actor = Actor("tenant", UserId(uuid4()), TenantId(TENANT), SessionId(uuid4()), 1, grants)
    if scope is Scope.NONE:
        with pytest.raises(NotPermitted):
            permitted(actor, "person.view")
    else:
        assert permitted(actor, "person.view") is actor
    with pytest.raises(NotPermitted):
        permitted(actor, "person.edit")


def test_a_permission_that_is_in_no_catalogue_cannot_be_asked_for():
    for make in (needs, needs_operator):
        with pytest.raises(ValueError, match="not in the catalogue"):
            make("nonsense.view")
    with pytest.raises(ValueError, match="not in the catalogue"):
        needs("tenant.view")
    with pytest.raises(ValueError, match="not in the catalogue"):
        needs_operator("person.view")
