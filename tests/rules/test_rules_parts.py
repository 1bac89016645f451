"""What routes are given has a type: parts are asked for by kind, ids in paths are no bare UUIDs."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from contracts import ids
from ops.bootstrap import SERVICES

ROOT = Path(__file__).parents[2]
FOLDERS = ("kit", "contracts", "services", "gateway", "ops", "sandbox", "bench", "tests")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
OWNER = ROOT / "kit/http/parts.py"
ROUTES = [path for path in FILES if "routes" in (path.stem, path.parent.name)]
ID_OF = {  # of a parameter in a path
    name.removesuffix("Id").lower(): kind for name, kind in vars(ids).items() if name.endswith("Id")
}


def states(tree: ast.AST) -> Iterator[str]:
    """Every look into the state of an app, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "state":
            owner = ast.unparse(node.value)
            if owner.rpartition(".")[2].strip("_") in {"app", "fastapi"} or "['app']" in owner:
                yield ast.unparse(node)


def test_only_the_owner_looks_into_the_state_of_an_app():
    assert list(states(ast.parse(OWNER.read_text())))
    found = {str(path.relative_to(ROOT)): [*states(ast.parse(path.read_text()))] for path in FILES}
    del found[str(OWNER.relative_to(ROOT))]
    assert {place: what for place, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "look", ["app.state.db", "r.app.state", 's["app"].state.x', "s._app.state"]
)
def test_the_rule_sees_every_form_of_looking(look):
    assert list(states(ast.parse(look)))


def path_ids(app: FastAPI) -> Iterator[tuple[str, Any, Any]]:
    """Of each id in a path: where it is, the type that it has, and the type that it should have."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            hints = get_type_hints(route.endpoint)
            for name in (one.name for one in route.dependant.path_params):
                if name in ID_OF and name in hints:
                    yield f"{context.path} {name}", hints[name], ID_OF[name]


@pytest.mark.parametrize("service", SERVICES)
def test_an_id_in_a_path_has_its_own_type(apps, service):
    found = list(path_ids(apps[service]))
    assert len(found) > 3
    assert [place for place, kind, wanted in found if kind is not wanted] == []


def made_by_hand(tree: ast.AST) -> list[str]:
    """Ids that are made of what came in; a new one is made of nothing else than new_id()."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in {kind.__name__ for kind in ID_OF.values()}
        and [ast.unparse(given) for given in node.args] != ["new_id()"]
    ]


def test_no_route_makes_an_id_by_hand():
    assert len(ROUTES) > 15
    found = {str(p.relative_to(ROOT)): made_by_hand(ast.parse(p.read_text())) for p in ROUTES}
    assert {place: what for place, what in found.items() if what} == {}


def test_the_rule_sees_an_id_that_is_made_by_hand():
    found = made_by_hand(ast.parse("f(TenantId(tenant)), ids.UserId(user), BackupId(new_id())"))
    assert sorted(found) == ["TenantId(tenant)", "ids.UserId(user)"]


STORING = [f"services/{name}" for name in ("auth", "backup", "sync", "tenants")]


@pytest.mark.parametrize("part", [*STORING, "gateway"])
def test_a_row_of_sql_gets_its_type_where_it_is_read(part):
    """Above store/ nothing is asked for by the name of a column."""
    files = [path for path in FILES if path.is_relative_to(ROOT / part)]
    stores = [path for path in files if "store" in (path.stem, *path.parent.parts)]
    assert stores
    assert [str(p) for p in files if p not in stores and "RowMapping" in p.read_text()] == []
