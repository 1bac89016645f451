"""Differences and plans: only mapped, chosen and changed fields are sent, once per key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.clients import PresentRecord
from contracts.ids import new_id
from kit.backoff import is_exhausted, pause
from services.sync.connection import ModuleMapping
from services.sync.crm import Converted, Meaning, Verdict
from services.sync.push.difference import difference
from services.sync.push.patience import unaccepted
from services.sync.push.plan import Rules, plan
from services.sync.store.outgoing import DueRow
from services.sync.store.ownership import Rival

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
RECORD = new_id()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAPPING = ModuleMapping("accounts", "bulkhead_symbol", {"name": "name", "sector": "b_sector"})


ID = "11111111-2222-3333-4444-555555555555"


def row(record: UUID, sent: dict[str, str] | None = None, **known: Any) -> DueRow:
    return DueRow(record, sent=sent or {}, **known)


class PlainTarget:
    """A table of a CRM that takes every value, but for one, and no slash in a key."""

    fingerprint, faults = "", ()
    described: Mapping[str, Any] = {}

    def key_problem(self, key: str) -> str | None:
        return "a slash" if "/" in key else None

    def same_key(self, key: str) -> str:
        return key.lower()

    def convert(self, values: Mapping[str, Any]) -> Converted:
        if "refused" in values.values():
            return Converted({}, "the column takes no such value", "name")
        return Converted(values)

    def members(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return values

    def changes_since(self, described: Mapping[str, Any]) -> Sequence[str]:
        return []


RULES = Rules(MAPPING, KEY, PlainTarget())


def rules(**changes: Any) -> Rules:
    return replace(RULES, mapping=replace(MAPPING, **changes))


def rival(record: UUID, same_key: str, **known: Any) -> Rival:
    given: dict[str, Any] = {
        "crm_key": None,
        "crm_id": None,
        "is_inactive": False,
        "is_gone": False,
        "sent": {},
    }
    return Rival(record=record, same_key=same_key, **(given | known))


def key_hash(record: UUID, key: str) -> dict[str, str]:
    return dict(difference(KEY, record, key, {MAPPING.key_attribute: key}, {}).hashes)


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
    due = [row(ids[0]), row(ids[1], dict(known), crm_key="b"), *(row(one) for one in ids[2:])]
    present = {
        ids[0]: record(ids[0], "A", name="x", secret="y"),
        ids[1]: record(ids[1], "B", name="same"),
        ids[2]: record(ids[2], "a", name="second with the same key"),
        ids[3]: record(ids[3], "C/D", name="x"),
        ids[4]: record(ids[4], None, name="no key"),
    }
    rivals = [rival(ids[0], "a"), rival(ids[1], "b", crm_key="b")]
    made = plan(due, present, rivals, RULES, NOW)
    assert [(item.write.key, dict(item.write.values)) for item in made.items] == [
        ("A", {"name": "x"}),
        (str(ids[4]), {"name": "no key"}),
    ]
    settled = {one.record: one.state for one in made.settled}
    assert settled == {ids[1]: "ok", ids[3]: "parked", ids[5]: "removed"}


def test_a_record_of_which_nothing_is_chosen_has_no_row_there_and_is_not_ok() -> None:
    id_ = new_id()
    made = plan([row(id_)], {id_: record(id_, "A", name=None)}, [], RULES, NOW)
    assert [one.state for one in made.settled] == ["empty"]


def test_a_value_that_the_column_does_not_take_is_parked_without_a_call() -> None:
    id_ = new_id()
    made = plan([row(id_)], {id_: record(id_, "A", name="refused")}, [], RULES, NOW)
    assert [(one.state, one.code) for one in made.settled] == [("parked", "value-refused")]


def test_who_owns_the_row_keeps_its_key_else_the_oldest_record_has_it() -> None:
    old, new = new_id(), new_id()
    present = {one: record(one, "KQ-1", name="x") for one in (old, new)}
    both = [rival(old, "kq-1")]
    made = plan([row(new), row(old)], present, both, RULES, NOW)
    assert [item.record for item in made.items] == [old]
    owner = [rival(new, "kq-1", crm_key="kq-1"), rival(old, "kq-1")]
    made = plan([row(old), row(new, crm_key="kq-1")], present, owner, RULES, NOW)
    assert [item.record for item in made.items] == [new]
    assert [(one.record, one.state, one.code) for one in made.settled] == [
        (old, "parked", "key-taken")
    ]
    assert made.settled[0].not_before > NOW


def test_whoever_takes_a_vanished_records_key_over_wears_none_of_its_values() -> None:
    gone, heir = new_id(), new_id()
    had = {"name": "x", "b_sector": "y", "b_unmapped": "z"}
    sent = dict(difference(KEY, gone, "A", had, {}).hashes)
    left = rival(gone, "a", crm_key="a", crm_id=ID, is_gone=True, sent=sent, is_inactive=True)
    present = {heir: record(heir, "A", name="new", sector=None)}
    [item] = plan([row(heir)], present, [left], RULES, NOW).items
    assert item.write.form == "known"
    assert (item.write.crm_id, item.write.revives, item.heir_of) == (ID, True, gone)
    assert dict(item.write.values) == {
        "name": "new",
        "b_sector": None,
        MAPPING.key_attribute: "A",
    }
    assert item.intent.crm_key == "a"
    assert item.intent.in_flight == dict.fromkeys([*had, MAPPING.key_attribute], "")


def test_a_row_whose_id_is_not_known_is_sent_whole_or_not_at_all() -> None:
    id_ = new_id()
    sent = dict(difference(KEY, id_, "A", {"name": "x", "b_sector": "y"}, {}).hashes)
    due = [row(id_, sent, crm_key="a")]
    changed = {id_: record(id_, "A", name="x", sector="z")}
    [item] = plan(due, changed, [], RULES, NOW).items
    assert (item.write.form, dict(item.write.values)) == ("new", {"name": "x", "b_sector": "z"})
    same = {id_: record(id_, "A", name="x", sector="y")}
    assert [one.state for one in plan(due, same, [], RULES, NOW).settled] == ["ok"]


def test_a_changed_key_is_written_into_the_same_row() -> None:
    id_ = new_id()
    sent = dict(difference(KEY, id_, "A", {"name": "x"}, {}).hashes) | key_hash(id_, "A")
    due = [row(id_, sent, crm_key="a", crm_id=ID)]
    [item] = plan(due, {id_: record(id_, "B", name="x")}, [], RULES, NOW).items
    assert (item.write.form, item.write.crm_id) == ("known", ID)
    assert item.write.values[MAPPING.key_attribute] == "B"
    assert item.intent.crm_key == "a"  # until the CRM has taken the new one
    assert item.keys == {"a", "b"}
    again = [replace(due[0], sent=dict(item.hashes), crm_key="b")]
    present = {id_: record(id_, "B", name="x")}
    assert [one.state for one in plan(again, present, [], RULES, NOW).settled] == ["ok"]


def test_a_key_whose_row_is_on_its_way_waits_without_being_settled() -> None:
    id_ = new_id()
    made = plan([row(id_)], {id_: record(id_, "B", name="x")}, [], RULES, NOW, {"b"})
    assert (made.items, made.settled) == ([], [])
    going = rules(deletions="delete")
    made = plan([row(id_, crm_key="b", crm_id=ID)], {}, [], going, NOW, {"b"})
    assert (made.items, made.settled) == ([], [])


@pytest.mark.parametrize(
    ("policy", "known", "form"),
    [
        ("keep", {"crm_key": "a", "crm_id": ID}, None),
        ("delete", {}, None),
        ("delete", {"crm_key": "a", "crm_id": ID}, "delete"),
        ("delete", {"crm_key": "a"}, "delete"),
        ("deactivate", {"crm_key": "a", "crm_id": ID}, "deactivate"),
        ("deactivate", {"crm_key": "a", "crm_id": ID, "is_inactive": True}, None),
    ],
)
def test_the_row_of_a_vanished_record_goes_by_the_modules_policy(
    policy: str, known: dict[str, Any], form: str | None
) -> None:
    id_ = new_id()
    made = plan([row(id_, **known)], {}, [], rules(deletions=policy), NOW)
    assert [item.write.form for item in made.items] == ([form] if form else [])
    assert [one.state for one in made.settled] == ([] if form else ["removed"])


@pytest.mark.parametrize("policy", ["delete", "deactivate"])
def test_no_row_goes_because_its_module_is_not_chosen_any_more(policy: str) -> None:
    id_ = new_id()
    withdrawn = replace(rules(deletions=policy), is_chosen=False)
    made = plan([row(id_, crm_key="a", crm_id=ID)], {}, [], withdrawn, NOW)
    assert made.items == []
    assert [(one.state, one.owns) for one in made.settled] == [("removed", False)]


def test_a_withdrawn_field_is_cleared_where_the_module_says_so_and_only_once() -> None:
    id_ = new_id()
    sent = dict(difference(KEY, id_, "A", {"name": "x", "b_sector": "y"}, {}).hashes)
    due = [row(id_, sent | key_hash(id_, "A"), crm_key="a", crm_id=ID)]
    present = {id_: record(id_, "A", name="x")}
    assert plan(due, present, [], RULES, NOW).items == []
    clearing = rules(withdrawn="clear")
    [item] = plan(due, present, [], clearing, NOW).items
    assert dict(item.write.values) == {"b_sector": None}
    again = [replace(due[0], sent={**due[0].sent, **item.hashes})]
    assert plan(again, present, [], clearing, NOW).items == []


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
    due = [row(id_, known | key_hash(id_, "A"), crm_key="a", crm_id=ID)]
    made = plan(due, {id_: record(id_, "A", name=None)}, [], RULES, NOW)
    assert [dict(item.write.values) for item in made.items] == [{"name": None}]


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    pauses = [pause(failures, 1.0).total_seconds() for failures in (1, 2, 3, 10, 11, 1000)]
    assert pauses == [1, 2, 4, 512, 900, 900]


def test_a_row_that_was_not_run_has_not_been_tried() -> None:
    tried = row(RECORD, attempts=7)
    unrun = Verdict(Meaning.BACK_OFF, "the CRM stopped before this row", code="not-run")
    waits = unaccepted(tried, unrun, NOW, None, 8, 1.0)
    assert (waits.state, waits.attempts) == ("retry", 7)
    raced = Verdict(Meaning.RACED, "another writer", code="raced")
    assert unaccepted(tried, raced, NOW, None, 8, 1.0).state == "parked"


def test_a_row_is_given_up_after_too_many_attempts_or_too_long_a_time() -> None:
    assert is_exhausted(8, NOW, NOW, 8)
    assert not is_exhausted(7, NOW, NOW + timedelta(days=14), 8)
    assert is_exhausted(2, NOW, NOW + timedelta(days=14, seconds=1), 8)
