"""Which slot each credential gets when the CRM has accepted one; pure."""

import itertools
from datetime import UTC, datetime

import pytest

from services.sync.credential import CURRENT, NEXT, PREVIOUS, Credential, Offered, Slot
from services.sync.credentials import OpenedRow, new_row, switched

NOW = datetime(2026, 2, 27, tzinfo=UTC)
SLOTS: tuple[Slot, ...] = (CURRENT, NEXT, PREVIOUS)


def rows(*slots: Slot) -> dict[Slot, OpenedRow]:
    return {slot: new_row(Offered.secret(f"of {slot}").one, slot) for slot in slots}


def slots_after(found: dict[Slot, OpenedRow], accepted: Credential) -> dict[str, str] | None:
    after = switched([*found.values()], accepted, NOW)
    return None if after is None else {one.row.slot: one.value.secret for one in after}


def test_the_one_in_use_stays_where_it_is() -> None:
    found = rows(*SLOTS)
    assert slots_after(found, found[CURRENT].value) is None


def test_one_that_is_gone_meanwhile_changes_nothing() -> None:
    assert slots_after(rows(*SLOTS), Offered.secret("gone").one) is None


def test_a_staged_one_takes_the_place_and_what_was_in_use_is_kept_to_fall_back_on() -> None:
    found = rows(CURRENT, NEXT, PREVIOUS)
    assert slots_after(found, found[NEXT].value) == {CURRENT: "of next", PREVIOUS: "of current"}


def test_after_a_fall_back_what_was_in_use_waits_to_be_known_again() -> None:
    found = rows(CURRENT, PREVIOUS)
    assert slots_after(found, found[PREVIOUS].value) == {CURRENT: "of previous", NEXT: "of current"}


def test_a_fall_back_leaves_a_staged_one_staged() -> None:
    found = rows(*SLOTS)
    assert slots_after(found, found[PREVIOUS].value) == {
        CURRENT: "of previous",
        NEXT: "of next",
        PREVIOUS: "of current",
    }


@pytest.mark.parametrize("count", [1, 2, 3])
def test_whichever_is_accepted_it_is_in_use_and_no_slot_is_taken_twice(count: int) -> None:
    for slots in itertools.combinations(SLOTS, count):
        found = rows(*slots)
        for accepted in found.values():
            after = switched([*found.values()], accepted.value, NOW) or [*found.values()]
            places = {one.row.slot: one.row.id for one in after}
            assert len(places) == len(after)
            if accepted.row.slot != CURRENT:
                assert places[CURRENT] == accepted.row.id
            assert all(
                (one.row.replaced_at is not None) <= (one.row.slot == PREVIOUS) for one in after
            )
