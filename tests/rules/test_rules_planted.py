"""The planted changes fit the code as it is: each has its one place, and tests that are there."""

import pytest

from tests.planted.__main__ import ROOT, changes

CHANGES = changes()


def test_there_are_many() -> None:
    assert len(CHANGES) > 90


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.file}: {change.kind}")
def test_a_planted_change_has_its_place_and_its_tests(change) -> None:
    change.applied_to((ROOT / change.file).read_text())
    for test in change.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), test
        assert not name or f"def {name.split('[')[0]}(" in (ROOT / path).read_text(), test


def test_no_change_is_planted_twice() -> None:
    assert len({(one.file, one.find, one.replace) for one in CHANGES}) == len(CHANGES)
