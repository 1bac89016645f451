"""A route takes what it declares: other query parameters and media types are refused, by name."""

from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from kit.http.errors import validation_errors
from kit.problems import MediaTypeUnsupported, RequestInvalid


async def check_declared(request: Request) -> None:
    """A dependency of the whole app. Raises RequestInvalid, MediaTypeUnsupported."""
    route = request.scope.get("route")
    if isinstance(route, APIRoute):
        if request.scope["query_string"]:
            _check_query(request, query_parameters(route.dependant))
        await _check_media_type(request, route)


def query_parameters(dependant: Dependant) -> dict[str, bool]:
    """Name of each parameter, and whether it may be repeated."""
    found = {field.alias: _is_list(field.field_info.annotation) for field in dependant.query_params}
    for one in dependant.dependencies:
        found |= query_parameters(one)
    return found


def _check_query(request: Request, declared: dict[str, bool]) -> None:
    wrong: dict[str, str] = {}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in declared:
            wrong[name] = _unknown(declared)
        elif name in seen and not declared[name]:
            wrong[name] = "may be given once"
        seen.add(name)
    if wrong:
        errors = [
            {"loc": ("query", name), "type": "parameter", "msg": message}
            for name, message in wrong.items()
        ]
        raise RequestInvalid(errors=validation_errors(errors))


def _unknown(declared: dict[str, bool]) -> str:
    if not declared:
        return "this route takes no query parameters"
    return "no such parameter; this route takes " + ", ".join(sorted(declared))


async def _check_media_type(request: Request, route: APIRoute) -> None:
    if route.body_field is None or not await request.body():
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not _is_json_suffix(kind):
        raise MediaTypeUnsupported("this route takes application/json")


def _is_json_suffix(kind: str) -> bool:
    return kind.startswith("application/") and kind.endswith("+json")


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(one) for one in get_args(annotation))
