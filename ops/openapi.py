"""The public API as one OpenAPI 3.1 document, made from the routes of all services: what the edge
lets through, and nothing internal."""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module, metadata
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from contracts.authorise import PUBLIC, permissions_of
from gateway.public_paths import PUBLIC_PATHS
from kit.http import build_app
from ops.programs import PROGRAMS

_METHODS = ("get", "put", "post", "patch", "delete")
_SAMPLES = {
    "tenant": "0190aaaa-0000-7000-8000-00000000000a",
    "module": "organisation",
    "slug": "not-found",
}
_TAGS = {
    "sessions": "Who logs in, goes on and logs out; whose token it is; the keys that verify it.",
    "users": "The people of a tenant: invitations, levels, lockouts.",
    "operators": "The people who run the platform; they read no customer's data.",
    "tenants": "Customers, each with a database of its own.",
    "modules": "Kinds of records and their fields.",
    "records": "Records of a module, one by one or many at once.",
    "changes": "What has changed since a position.",
    "field choices": "Which fields may leave over a connection; without a choice none does.",
    "connections": "Links to CRMs, what became of each record, and a line for every call.",
    "backups": "Stored copies of a tenant.",
    "restores": "Going back to a backup: planned first, then executed.",
    "allowlists": "Where a tenant, or anybody, may be reached from.",
}
_TAG_OF = {
    **dict.fromkeys(("login", "logout", "me", ".well-known"), "sessions"),
    **dict.fromkeys(("invitations",), "users"),
    "allowlist": "allowlists",
    "field-choices": "field choices",
    "egress-addresses": "connections",
}
_REF = re.compile(r"#/components/schemas/(\w+)")
_INFO = {
    "title": "Bulkhead",
    "summary": "Isolated customer databases, synchronised with their CRMs, backed up one by one.",
    "description": (
        "Tenants are reached below `/t/{tenant}/v1`, the platform below `/v1`. Every error is a"
        " problem document (RFC 9457); its `type` is a page that says what to do. Times are RFC"
        " 3339 in UTC with microseconds."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_PROBLEM = {
    "type": "object",
    "description": "What went wrong, for programs (`type`) and people (`title`, `detail`).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "/problems/{slug}"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "the cause in one sentence"},
        "request_id": {"type": "string", "description": "as in the header x-request-id"},
        "errors": {
            "type": "array",
            "description": "each fault with its place in the request, twenty at most",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "more": {"type": "boolean", "description": "there are more faults than are named"},
    },
}
_REQUEST_ID = {"$ref": "#/components/headers/RequestId"}
_HEADERS = {
    "RequestId": {
        "description": "The edge's name for this request; it stands in every log.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "Location": {
        "description": "Where the new thing is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The entity tag of your last read, several of them, or `*` (RFC 9110).",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """The whole document, in an order that is always the same."""
    app = _app()
    made, guards = app.openapi(), dict(_guards(app))
    paths = {
        path: {
            method: _operation(path, entries[method], guards[method, path])
            for method in _METHODS
            if method in entries
        }
        for path, entries in sorted(made["paths"].items())
        if is_public(path)
    }
    return {
        "openapi": "3.1.0",
        "info": _INFO | {"version": metadata.version("bulkhead")},
        "servers": [
            {
                "url": "https://{host}",
                "description": "The edge of an installation.",
                "variables": {"host": {"default": "localhost", "description": "name and port"}},
            }
        ],
        "tags": [{"name": name, "description": said} for name, said in _TAGS.items()],
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
            "headers": _HEADERS,
            "responses": {"Problem": _problem()},
            "schemas": _used(made["components"]["schemas"], paths) | {"Problem": _PROBLEM},
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


def _operation(path: str, made: Mapping[str, Any], permission: str) -> dict[str, Any]:
    said = str(made.get("description", "")).strip()
    parameters = [
        _IF_MATCH if one["name"].lower() == "if-match" else one
        for one in [*_missing(path, made), *made.get("parameters", [])]
    ]
    done = {
        "tags": [_tag(path)],
        "summary": said.partition(".")[0] or made["summary"],
        "description": _with_permission(said, permission),
        "operationId": made["operationId"],
        "security": [] if permission == PUBLIC else [{"accessToken": []}],
        "x-permission": permission,
    }
    if parameters:
        done["parameters"] = parameters
    if "requestBody" in made:
        done["requestBody"] = made["requestBody"]
    return done | {"responses": _responses(made["responses"])}


def _with_permission(said: str, permission: str) -> str:
    needs = "Needs no token." if permission == PUBLIC else f"Needs the permission `{permission}`."
    return f"{said}\n\n{needs}".strip()


def _missing(path: str, made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameters of the path that its function does not take: a guard reads them."""
    named = {one["name"] for one in made.get("parameters", [])}
    return [
        {"name": name, "in": "path", "required": True, "schema": _schema_of(name)}
        for name in re.findall(r"\{(\w+)\}", path)
        if name not in named
    ]


def _schema_of(name: str) -> dict[str, str]:
    return (
        {"type": "string"} if name in {"module", "slug"} else {"type": "string", "format": "uuid"}
    )


def _responses(made: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for status, response in made.items():
        if status.startswith(("4", "5")):
            continue
        headers = {"x-request-id": _REQUEST_ID}
        if status == "201":
            headers["Location"] = {"$ref": "#/components/headers/Location"}
        found[status] = response | {"headers": headers}
    problem = {"$ref": "#/components/responses/Problem"}
    return found | {"4XX": problem, "5XX": problem}


def _problem() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "A problem (RFC 9457); its type says which one.",
        "headers": {"x-request-id": _REQUEST_ID},
        "content": {"application/problem+json": {"schema": schema}},
    }


def _tag(path: str) -> str:
    """The part of the API that a path belongs to; KeyError where it has none yet."""
    first = path.removeprefix("/t/{tenant}").removeprefix("/v1").strip("/").partition("/")[0]
    name = _TAG_OF.get(first, first)
    if name not in _TAGS:
        raise KeyError(f"{path} belongs to no part of the API that has a description")
    return name


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
