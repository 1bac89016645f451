"""Every operation of every service keeps the rules of HTTP and says one thing in one form."""

import inspect
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from contracts.schema import TIME_PATTERN
from kit.display_text import FORMAT
from kit.http import build_app
from ops.bootstrap import SERVICES

METHODS = ("get", "post", "put", "patch", "delete")
WRONG = ("nonsense", "Limit", "filter[name]", "limit[]")
NAMES = ("name", "label", "title")
BOUNDS = {"maxLength", "pattern", "format", "enum", "const"}


@pytest.fixture(scope="module")
def doors(apps: dict[str, FastAPI]) -> dict[str, FastAPI]:
    """The apps as if they had started: nothing behind their doors is needed to be refused."""
    for app in apps.values():
        for one in app.user_middleware:
            if "why_closed" in one.kwargs:
                one.kwargs["why_closed"] = lambda: None
    return apps


def described(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and OpenAPI entry of each operation."""
    for path, entries in app.openapi()["paths"].items():
        for method in METHODS:
            if method in entries:
                yield method.upper(), path, entries[method]


def address(path: str) -> str:
    return re.sub(r"\{[a-z]+\}", lambda _: str(uuid4()), path)


async def ask(app: FastAPI, method: str, path: str, **options: Any) -> httpx2.Response:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, address(path), **options)


def queries(entry: dict[str, Any]) -> dict[str, bool]:
    """Query parameters, and whether each is a list."""
    return {
        one["name"]: "array" in str(one["schema"])
        for one in entry.get("parameters", [])
        if one["in"] == "query"
    }


@pytest.mark.parametrize("service", SERVICES)
async def test_a_query_parameter_that_is_not_described_is_named(doors, service):
    for method, path, entry in described(doors[service]):
        for name in (
            "nonsense",
            "Limit",
            "filter[name]",
            "limit[]",
            *map(str.title, queries(entry)),
        ):
            answer = await ask(doors[service], method, f"{path}?{name}=1")
            assert answer.status_code == 422, f"{method} {path}?{name}"
            assert answer.json()["errors"][0]["pointer"] == f"#query/{name}"


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_described_is_taken_and_repeated_only_where_it_is_a_list(doors, service):
    for method, path, entry in described(doors[service]):
        for name, is_list in queries(entry).items():
            once = await ask(doors[service], method, f"{path}?{name}=1")
            assert f"#query/{name}" not in once.text, f"{method} {path}?{name}"
            twice = await ask(doors[service], method, f"{path}?{name}=1&{name}=1")
            assert (f"#query/{name}" in twice.text) != is_list, f"{method} {path}?{name}"


async def test_some_parameters_were_looked_at(apps):
    found = [queries(entry) for app in apps.values() for _, _, entry in described(app)]
    assert sum(map(len, found)) > 8
    assert any(is_list for one in found for is_list in one.values())


@pytest.mark.parametrize("service", SERVICES)
async def test_a_json_body_of_another_type_is_a_415(doors, service):
    for method, path, entry in described(doors[service]):
        if "application/json" in entry.get("requestBody", {}).get("content", {}):
            for headers in ({}, {"content-type": "text/plain"}):
                answer = await ask(doors[service], method, path, content=b"{}", headers=headers)
                assert answer.status_code == 415, f"{method} {path} {headers}"


@pytest.mark.parametrize("service", SERVICES)
async def test_allow_names_the_methods_that_are_described_and_head_goes_with_get(doors, service):
    paths: dict[str, set[str]] = {}
    for method, path, _ in described(doors[service]):
        paths.setdefault(path, set()).add(method)
    for path, methods in paths.items():
        expected = methods | ({"HEAD"} if "GET" in methods else set())
        answer = await ask(doors[service], "TRACE", path)
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == expected, path
        assert ((await ask(doors[service], "HEAD", path)).status_code == 405) != (
            "HEAD" in answer.headers["allow"]
        ), path


def makers(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.status_code == 201:
            yield str(context.path), route


def test_every_201_says_where_what_it_made_is(apps):
    found = [one for app in apps.values() for one in makers(app)]
    assert len(found) >= 8
    silent = [path for path, route in found if "created(" not in inspect.getsource(route.endpoint)]
    assert not silent


def properties(
    schema: Any, components: dict[str, Any], seen: set[str]
) -> Iterator[tuple[str, Any]]:
    """Name and schema of every text in a body, at any depth."""
    if isinstance(schema, list):
        for one in schema:
            yield from properties(one, components, seen)
    elif isinstance(schema, dict):
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield from properties(components[name], components, seen)
        for key, value in schema.get("properties", {}).items():
            yield from ((key, one) for one in texts(value))
        for value in schema.values():
            yield from properties(value, components, seen)


def texts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "string":
            yield schema
        for key in ("anyOf", "allOf", "items"):
            for one in [schema.get(key, [])] if key == "items" else schema.get(key, []):
                yield from texts(one)


def bodies(app: FastAPI, of: str) -> list[tuple[str, dict[str, Any]]]:
    """The texts of all JSON bodies that are taken (`requestBody`) or given (`responses`)."""
    components, seen = app.openapi()["components"]["schemas"], set[str]()
    media = [
        one.get("content", {}).get("application/json", {})
        for _, _, entry in described(app)
        for one in ([entry.get(of, {})] if of == "requestBody" else entry[of].values())
    ]
    return list(properties(media, components, seen))


def faults_of_inputs(app: FastAPI) -> list[str]:
    found = bodies(app, "requestBody")
    names = [n for n, one in found if n in NAMES and one.get("format") != FORMAT]
    return names + [name for name, one in found if not BOUNDS & one.keys()]


def faults_of_times(app: FastAPI) -> list[str]:
    found = bodies(app, "responses")
    times = [(n, one) for n, one in found if n.endswith("_at") or one.get("format") == "date-time"]
    return [name for name, one in times if one.get("pattern") != TIME_PATTERN]


def test_a_name_that_people_see_has_the_type_of_names_and_every_text_a_bound(apps):
    assert {service: faults_of_inputs(app) for service, app in apps.items()} == {
        service: [] for service in SERVICES
    }
    assert any(name == "name" for app in apps.values() for name, _ in bodies(app, "requestBody"))


def test_every_time_in_an_answer_has_the_one_form(apps):
    assert {service: faults_of_times(app) for service, app in apps.items()} == {
        service: [] for service in SERVICES
    }
    assert sum(n.endswith("_at") for app in apps.values() for n, _ in bodies(app, "responses")) > 8


def test_the_rules_see_a_bare_name_an_unbounded_text_and_a_time_of_another_form():
    class Bad(BaseModel):
        name: str | None
        note: str
        at: datetime | None
        made_at: str

    router = APIRouter()

    @router.post("/bad")
    async def bad(body: Bad) -> Bad:
        return body

    app = build_app(title="bad", routers=[router], checks={}, lifespan=None)  # type: ignore[arg-type]
    assert set(faults_of_inputs(app)) == {"name", "note", "made_at"}
    assert set(faults_of_times(app)) == {"at", "made_at"}
