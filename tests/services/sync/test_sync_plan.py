"""Differences and plans: only mapped, chosen and changed fields are sent, once per key."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.clients import PresentRecord
from contracts.ids import new_id
from kit.backoff import is_exhausted, pause
from services.sync.connection import ModuleMapping
from services.sync.push.difference import difference
from services.sync.push.plan import plan
from services.sync.store.outgoing import DueRow

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
RECORD = new_id()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAPPING = ModuleMapping("accounts", "bulkhead_symbol", {"name": "name", "sector": "b_sector"})


def row(record: UUID, sent: dict[str, str] | None = None) -> DueRow:
    return DueRow(record, 0, None, sent or {})


def slash_problem(key: str) -> str | None:
    """As if a CRM could not address a row by a key with a slash."""
    return "a slash" if "/" in key else None


def record(id_: UUID, key: str | None, **fields: Any) -> PresentRecord:
    return PresentRecord(id=id_, module="organisation", key=key, version=1, fields=fields)


def test_only_what_differs_from_the_acknowledged_hashes_is_sent() -> None:
    first = difference(KEY, RECORD, "A", {"name": "x", "size": 3}, {})
    assert first.values == {"name": "x", "size": 3}
    assert all(len(text) == 16 for text in first.hashes.values())
    again = difference(KEY, RECORD, "A", {"name": "x", "size": 4}, first.hashes)
    assert again.values == {"size": 4}
    assert again.in_flight == {"size": ""}


def test_a_field_in_flight_is_unknown_and_sent_again() -> None:
    assert difference(KEY, RECORD, "A", {"name": "x"}, {"name": ""}).values == {"name": "x"}
    assert difference(KEY, RECORD, "A", {"name": None}, {"name": ""}).values == {"name": None}


def test_an_empty_value_that_was_never_sent_stays_unsent() -> None:
    assert difference(KEY, RECORD, "A", {"name": None}, {}).values == {}


def test_hashes_tell_nothing_across_tenants_records_or_keys() -> None:
    def one(key: bytes, id_: UUID, name: str) -> str:
        return difference(key, id_, name, {"name": "x"}, {}).hashes["name"]

    found = {one(KEY, RECORD, "A"), one(OTHER_KEY, RECORD, "A"), one(KEY, new_id(), "A")}
    assert len(found | {one(KEY, RECORD, "B")}) == 4


def test_a_plan_sends_each_key_once_and_settles_what_needs_no_call() -> None:
    ids = [new_id() for _ in range(6)]
    known = difference(KEY, ids[1], "B", {"name": "same"}, {}).hashes
    due = [row(ids[0]), row(ids[1], dict(known)), *(row(one) for one in ids[2:])]
    present = {
        ids[0]: record(ids[0], "A", name="x", secret="y"),
        ids[1]: record(ids[1], "B", name="same"),
        ids[2]: record(ids[2], "A", name="second with the same key"),
        ids[3]: record(ids[3], "C/D", name="x"),
        ids[4]: record(ids[4], None, name="no key"),
    }
    made = plan(due, present, MAPPING, KEY, NOW, slash_problem)
    assert [(item.key, dict(item.difference.values)) for item in made.items] == [
        ("A", {"name": "x"}),
        (str(ids[4]), {"name": "no key"}),
    ]
    settled = {one.record: one.state for one in made.settled}
    assert settled == {ids[1]: "ok", ids[3]: "parked", ids[5]: "removed"}


def test_equal_values_in_two_columns_or_two_keys_have_different_hashes() -> None:
    values = {"name": "x", "sector": "x"}
    found = difference(KEY, RECORD, "A", values, {})
    assert len(set(found.hashes.values())) == 2
    moved = {"name": found.hashes["sector"], "sector": found.hashes["name"]}
    assert difference(KEY, RECORD, "A", values, moved).values == values


def test_the_order_of_members_makes_no_difference() -> None:
    known = difference(KEY, RECORD, "A", {"name": {"a": 1, "b": 2}}, {}).hashes
    assert difference(KEY, RECORD, "A", {"name": {"b": 2, "a": 1}}, known).values == {}


def test_only_fields_that_were_chosen_are_cleared() -> None:
    """A field that is mapped but not chosen is absent, and absent is not empty."""
    id_ = new_id()
    known = dict(difference(KEY, id_, "A", {"name": "x", "b_sector": "y"}, {}).hashes)
    made = plan(
        [row(id_, known)], {id_: record(id_, "A", name=None)}, MAPPING, KEY, NOW, slash_problem
    )
    assert [dict(item.difference.values) for item in made.items] == [{"name": None}]


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    pauses = [pause(failures, 1.0).total_seconds() for failures in (1, 2, 3, 10, 11, 1000)]
    assert pauses == [1, 2, 4, 512, 900, 900]


def test_a_row_is_given_up_after_too_many_attempts_or_too_long_a_time() -> None:
    assert is_exhausted(8, NOW, NOW, 8)
    assert not is_exhausted(7, NOW, NOW + timedelta(days=14), 8)
    assert is_exhausted(2, NOW, NOW + timedelta(days=14, seconds=1), 8)
