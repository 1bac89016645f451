"""Who may call an operation: each names exactly one of these, or a rule test fails.

`needs` and its siblings are FastAPI dependencies; every dependency object carries `.permission`,
by which tests walk all operations.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant

from contracts.access import Person, decide
from contracts.credentials import AccessVerifier, Actor, CallerVerifier, access_verifier
from contracts.permissions import OPERATOR_PERMISSIONS, PERMISSIONS
from contracts.settings import ServiceSettings
from kit.http import parts_of, put
from kit.problems import NotAuthenticated, NotFound, NotPermitted
from kit.timers import Timer

PUBLIC = "PUBLIC"
LOGIN = "LOGIN"
REFRESH_KEYS_EVERY_S = 30.0  # so long may a key still be accepted that auth publishes no more


class Rule:
    """A dependency that names the permission which it checks."""

    def __init__(self, permission: str, check: Callable[[Request], Awaitable[Any]]) -> None:
        self.permission, self._check = permission, check

    async def __call__(self, request: Request) -> Any:
        return await self._check(request)


def permissions_of(dependant: Dependant) -> list[str]:
    """The permissions that guard a route; a rule test wants exactly one."""
    own = [dependant.call.permission] if isinstance(dependant.call, Rule) else []
    return own + [one for inner in dependant.dependencies for one in permissions_of(inner)]


def install(app: FastAPI, settings: ServiceSettings, service: str) -> None:
    """Give the app its two verifiers: for users' tokens and for other services'."""
    put(app, access_verifier(settings), CallerVerifier(service, settings.identities))


def key_timer(refresh: Callable[[], Awaitable[None]]) -> Timer:
    """For every service that loads auth's key set."""
    return Timer("keys", REFRESH_KEYS_EVERY_S, refresh)


def needs(permission: str) -> Any:
    """A user of the tenant in the path, with the permission; gives the Actor."""
    if permission not in PERMISSIONS:
        raise ValueError(f"not in the catalogue: {permission}")

    async def check(request: Request) -> Actor:
        actor = await _tenant_actor(request)
        return permitted(actor, permission)

    return Depends(Rule(permission, check))


def needs_module(action: str) -> Any:
    """Like needs, for `{module}.<action>` with the module of the path; unknown ones are 404."""

    async def check(request: Request) -> Actor:
        actor = await _tenant_actor(request)
        permission = f"{request.path_params['module']}.{action}"
        if permission not in PERMISSIONS:
            raise NotFound
        return permitted(actor, permission)

    return Depends(Rule(f"{{module}}.{action}", check))


def needs_operator(permission: str) -> Any:
    """An operator of the platform with the permission; gives the Actor."""
    if permission not in OPERATOR_PERMISSIONS:
        raise ValueError(f"not in the catalogue: {permission}")

    async def check(request: Request) -> Actor:
        actor = await _actor(request)
        if actor.realm != "operators":
            raise NotPermitted("this operation is for operators")
        return permitted(actor, permission)

    return Depends(Rule(f"operators:{permission}", check))


def needs_login() -> Any:
    """Any valid access token; gives the Actor."""
    return Depends(Rule(LOGIN, _actor))


def needs_service(*callers: str) -> Any:
    """One of the named services, with a token for this one; gives the caller's name."""

    async def check(request: Request) -> str:
        caller = parts_of(request.app, CallerVerifier).caller(_bearer(request))
        if caller not in callers:
            raise NotPermitted("this route is not open to that service")
        return caller

    return Depends(Rule("service:" + ",".join(sorted(callers)), check))


def public() -> Any:
    """Anybody: says so in the code, so that it cannot be an oversight."""

    async def check(_request: Request) -> None:
        return None

    return Depends(Rule(PUBLIC, check))


def permitted(actor: Actor, permission: str) -> Actor:
    """The actor; NotPermitted unless its grants hold the permission."""
    if not decide(actor.grants, permission, Person(actor.user)).allowed:
        raise NotPermitted(f"needs {permission}")
    return actor


async def _actor(request: Request) -> Actor:
    return await parts_of(request.app, AccessVerifier).actor(_bearer(request))


async def _tenant_actor(request: Request) -> Actor:
    """Wall 1: the token's tenant must be the route's; anything else looks like nothing there."""
    actor = await _actor(request)
    try:
        tenant = UUID(request.path_params["tenant"])
    except ValueError:
        raise NotFound from None
    if actor.tenant != tenant:
        raise NotFound
    return actor


def _bearer(request: Request) -> str:
    """The token of the one Authorization header; the scheme's letters may be of any case."""
    lines = request.headers.getlist("authorization")
    kind, _, token = lines[0].partition(" ") if len(lines) == 1 else ("", "", "")
    if kind.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("send one access token: Authorization: Bearer ...")
    return token.strip()
