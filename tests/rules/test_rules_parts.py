"""What routes are given has a type: the app's parts are asked for by kind."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("kit", "contracts", "services", "gateway", "ops", "sandbox", "bench", "tests")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
OWNER = ROOT / "kit/http/parts.py"


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
