"""The index against the vault, value by value: when what was found broken is read once more."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.backup.vault.comparison import Found, Listed, compare

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TAKEN, CHECKED = NOW - timedelta(days=1), NOW - timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("changed_at", "marks"),
    [(CHECKED - MOMENT, []), (CHECKED, []), (CHECKED + MOMENT, ["queued"])],
)
def test_what_is_broken_is_read_again_only_if_another_copy_came_since(
    changed_at: datetime, marks: list[str]
) -> None:
    backup = uuid4()
    listed = {backup: Listed("broken", TAKEN, CHECKED)}
    found = {backup: Found(TAKEN, "verified", changed_at)}
    assert list(compare(listed, found, NOW).marks.values()) == marks


def test_what_hangs_on_a_full_does_not_stand_for_the_daily_one() -> None:
    """A full is lost, and the one before counts until when the tenant is covered."""
    full, lost, hanging = uuid4(), uuid4(), uuid4()
    listed = {
        full: Listed("verified", TAKEN, CHECKED),
        lost: Listed("verified", CHECKED, CHECKED),
        hanging: Listed("verified", NOW, CHECKED, full),
    }
    found = {one: Found(listed[one].at, "verified", TAKEN) for one in (full, hanging)}
    findings = compare(listed, found, NOW)
    assert findings.marks == {lost: "missing"}
    assert findings.covered_until == TAKEN
