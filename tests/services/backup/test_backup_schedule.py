"""The daily slot: its own for each tenant, spread over the day, and missed runs are one."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.ids import TenantId, new_id
from services.backup.runs.schedule import is_due, latest_slot, pause_after, slot_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TENANT = TenantId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))


def test_slots_are_spread_over_twenty_hours() -> None:
    hours = Counter(slot_of(TenantId(new_id())) // timedelta(hours=1) for _ in range(4_000))
    assert set(hours) == set(range(20))
    assert max(hours.values()) < 300


def test_a_slot_never_moves() -> None:
    assert slot_of(TENANT) == timedelta(seconds=19_118)


def test_the_latest_slot_is_within_the_last_day() -> None:
    for hour in range(48):
        now = NOW + timedelta(hours=hour)
        assert timedelta() <= now - latest_slot(TENANT, now) < timedelta(days=1)


def test_one_full_is_enough_however_many_slots_were_missed() -> None:
    assert is_due(TENANT, NOW - timedelta(days=9), NOW)
    assert not is_due(TENANT, latest_slot(TENANT, NOW), NOW)
    assert is_due(TENANT, latest_slot(TENANT, NOW), NOW + timedelta(days=1))


def test_the_first_full_is_due_at_once_and_the_second_at_its_slot() -> None:
    slot = latest_slot(TENANT, NOW)
    assert is_due(TENANT, None, slot + timedelta(minutes=1))
    first = slot + timedelta(minutes=2)
    assert not is_due(TENANT, first, slot + timedelta(hours=23, minutes=59))
    assert is_due(TENANT, first, slot + timedelta(days=1))


def test_pauses_double_up_to_four_hours() -> None:
    pauses = [pause_after(failures) / timedelta(minutes=1) for failures in range(1, 12)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240]
    assert pause_after(10_000) == timedelta(hours=4)


def test_a_full_of_the_future_silences_no_other() -> None:
    assert is_due(TENANT, NOW + timedelta(microseconds=1), NOW)
    assert not is_due(TENANT, NOW, NOW)


def test_a_slot_begins_at_its_second() -> None:
    slot = latest_slot(TENANT, NOW)
    assert is_due(TENANT, slot - timedelta(microseconds=1), slot)
    assert not is_due(TENANT, slot, slot)
    assert latest_slot(TENANT, slot) == slot
    assert latest_slot(TENANT, slot - timedelta(microseconds=1)) == slot - timedelta(days=1)
