"""The planted changes fit the code as it is: each has its one place, and tests that are there."""

from datetime import date, timedelta

import pytest

from tests.planted.__main__ import ROOT, changes, turn_of

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


def test_a_few_days_in_a_row_plant_them_all_each_once() -> None:
    today = date(2026, 2, 27)
    turns = [turn_of(today + timedelta(days=after), 3, CHANGES) for after in range(3)]
    planted = [one for turn in turns for one in turn]
    assert len(planted) == len(set(planted)) == len(CHANGES)
    assert max(map(len, turns)) - min(map(len, turns)) <= 1
