"""Every operation says who may call it, exactly once."""

import inspect

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from contracts.authorise import LOGIN, PUBLIC, needs, permissions_of, public
from contracts.permissions import OPERATOR_PERMISSIONS, PERMISSIONS

PUBLIC_OPERATIONS = {
    "auth": {
        "POST /v1/operators/login",
        "POST /v1/operators/invitations/accept",
        "POST /v1/operators/sessions/refresh",
        "POST /t/{tenant}/v1/login",
        "POST /t/{tenant}/v1/invitations/accept",
        "POST /t/{tenant}/v1/sessions/refresh",
        "GET /.well-known/jwks.json",
    },
    "sync": {"GET /v1/egress-addresses"},
}
UNGUARDED = {
    "/livez",
    "/readyz",
    "/problems/{slug}",
    "/v1/openapi.json",
    "/docs",
    "/docs/{asset}",
}


def operations(app: FastAPI) -> dict[str, list[str]]:
    """Method and path -> the permissions that guard it."""
    found = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path not in UNGUARDED:
            for method in route.methods or ():
                found[f"{method} {context.path}"] = permissions_of(route.dependant)
    return found


def test_every_operation_names_exactly_one_permission(apps):
    for service, app in apps.items():
        found = operations(app)
        assert found, service
        wrong = {name: guards for name, guards in found.items() if len(guards) != 1}
        assert not wrong, service


def test_the_walk_sees_what_openapi_describes(apps):
    """A loop over app.routes alone finds nothing of an included router and would pass empty."""
    for service, app in apps.items():
        described = {
            f"{method.upper()} {path}"
            for path, entry in app.openapi()["paths"].items()
            for method in entry
        }
        assert described <= operations(app).keys(), service


def test_only_these_operations_are_public(apps):
    for service, app in apps.items():
        found = {name for name, guards in operations(app).items() if guards == [PUBLIC]}
        assert found == PUBLIC_OPERATIONS.get(service, set()), service


def test_internal_operations_are_for_services_and_only_they(apps):
    for app in apps.values():
        for name, (guard,) in operations(app).items():
            assert ("/internal/" in name) == guard.startswith("service:"), name


def test_tenant_paths_are_for_tenants_and_others_for_operators(apps):
    for app in apps.values():
        for name, (guard,) in operations(app).items():
            path = name.split()[1]
            if guard in PERMISSIONS or guard.startswith("{module}"):
                assert path.startswith("/t/{tenant}/v1/"), name
            elif guard.startswith("operators:"):
                assert guard.removeprefix("operators:") in OPERATOR_PERMISSIONS, name
                assert path.startswith("/v1/"), name
            else:
                assert guard in {PUBLIC, LOGIN} or guard.startswith("service:"), name


def test_the_rule_sees_an_operation_without_and_one_with_two_permissions():
    router = APIRouter()

    @router.get("/none")
    async def none() -> None: ...

    @router.get("/two", dependencies=[public(), needs("backup.view")])
    async def two() -> None: ...

    app = FastAPI()
    app.include_router(router)
    found = operations(app)
    assert found["GET /none"] == []
    assert found["GET /two"] == [PUBLIC, "backup.view"]


def test_nothing_of_a_request_waits_for_a_thread(apps):
    """FastAPI hands a plain function to one of forty threads, which all requests share."""
    for app in apps.values():
        for context in iter_route_contexts(app.routes):
            if isinstance(route := context.original_route, APIRoute):
                assert not _plain(route.dependant), context.path


def _plain(dependant: Dependant) -> list[str]:
    """The functions among these dependencies, and theirs, that are not awaited."""
    call = dependant.call if inspect.isfunction(dependant.call) else type(dependant.call).__call__
    awaited = inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)
    found = [] if awaited else [repr(dependant.call)]
    return found + [one for inner in dependant.dependencies for one in _plain(inner)]
