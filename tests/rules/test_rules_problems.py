"""Every problem explains itself; no two share a slug."""

import re

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


def test_a_slug_cannot_be_claimed_twice():
    with pytest.raises(TypeError, match="not-found"):

        class Other(Problem, status=404, slug="not-found"):
            """Other"""
