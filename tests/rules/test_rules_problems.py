"""Every problem explains itself; no two share a slug."""

import ast
import re
from pathlib import Path

import pytest

from kit import problems
from kit.problems import Problem


def test_every_problem_of_every_service_explains_what_to_do(apps):
    known = problems.registry()
    assert len(known) > 25
    for slug, kind in known.items():
        assert re.match(r"^[a-z0-9-]+$", slug)
        title, _, rest = kind.explanation().partition("\n")
        assert title
        assert len(rest.split()) >= 4, f"{slug} has a title but says nothing"
        assert 400 <= kind.status < 600


ROOT = Path(__file__).parents[2]
VALIDATORS = {"AfterValidator", "BeforeValidator", "field_validator", "model_validator"}


def bodies_with_validators():
    """Modules whose validators judge what users send; settings are judged for operators."""
    for folder in ("services", "contracts", "gateway"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            if names & VALIDATORS and "setting" not in path.name:
                yield path, tree


def test_a_validator_says_to_whoever_sent_it_what_is_wrong():
    """The words of an ordinary ValueError may hold the value: they are never shown."""
    found = list(bodies_with_validators())
    assert len(found) >= 3
    for path, tree in found:
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and "ValueError" in ast.dump(node):
                raise AssertionError(f"{path.relative_to(ROOT)}:{node.lineno}: raise Refused")


def test_a_slug_cannot_be_claimed_twice():
    with pytest.raises(TypeError, match="not-found"):

        class Other(Problem, status=404, slug="not-found"):
            """Other"""
