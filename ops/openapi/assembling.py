"""The public API as one OpenAPI 3.1 document, made from the routes of all services: what the edge
lets through, and nothing internal."""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from contracts.authorise import permissions_of
from contracts.version import VERSION
from gateway.public_paths import PUBLIC_PATHS
from kit.http import build_app
from ops.openapi import operations
from ops.openapi.fixed import HEADERS, INFO, PROBLEM, PROBLEM_RESPONSE, TAGS
from ops.programs import PROGRAMS

_METHODS = ("get", "put", "post", "patch", "delete")
_SAMPLES = {
    "tenant": "0190aaaa-0000-7000-8000-00000000000a",
    "module": "organisation",
    "slug": "not-found",
}
_REF = re.compile(r"#/components/schemas/(\w+)")


def document() -> dict[str, Any]:
    """The whole document, in an order that is always the same."""
    app = _app()
    made, guards = app.openapi(), dict(_guards(app))
    paths = {
        path: {
            method: operations.described(path, entries[method], guards[method, path])
            for method in _METHODS
            if method in entries
        }
        for path, entries in sorted(made["paths"].items())
        if is_public(path)
    }
    return {
        "openapi": "3.1.0",
        "info": INFO | {"version": VERSION},
        "servers": [
            {
                "url": "https://{host}",
                "description": "The edge of an installation.",
                "variables": {"host": {"default": "localhost", "description": "name and port"}},
            }
        ],
        "tags": [{"name": name, "description": said} for name, said in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `access_token` of a login; it lives for five minutes.",
                }
            },
            "headers": HEADERS,
            "responses": {"Problem": PROBLEM_RESPONSE},
            "schemas": _used(made["components"]["schemas"], paths) | {"Problem": PROBLEM},
        },
    }


def is_public(path: str) -> bool:
    """Whether the edge lets this path through."""
    sample = re.sub(r"\{(\w+)\}", lambda found: _SAMPLES.get(found[1], _SAMPLES["tenant"]), path)
    return any(re.fullmatch(one.regex(), sample) for one in PUBLIC_PATHS)


def _app() -> FastAPI:
    """The routes of all services in one app that is never served."""
    routers: list[APIRouter] = []
    for program in PROGRAMS.values():
        routers += getattr(import_module(f"{program.module}.app"), "ROUTERS", [])
    return build_app(title="Bulkhead", routers=routers, checks={}, lifespan=_never)


def _never(_app: FastAPI) -> Any:
    raise AssertionError("this app describes and does not serve")


def _guards(app: FastAPI) -> Iterator[tuple[tuple[str, str], str]]:
    """(method, path) -> the permission that guards it."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                for permission in permissions_of(route.dependant):
                    yield (method.lower(), str(context.path)), permission


def _used(schemas: Mapping[str, Any], paths: object) -> dict[str, Any]:
    """The schemas that these paths name, and those that they name in turn."""
    found: dict[str, Any] = {}
    waiting = _named(paths)
    while waiting:
        name = waiting.pop()
        if name not in found and name in schemas:
            found[name] = schemas[name]
            waiting |= _named(schemas[name])
    return dict(sorted(found.items()))


def _named(part: object) -> set[str]:
    return set(_REF.findall(repr(part)))
