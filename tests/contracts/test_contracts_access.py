"""The policy: deny by default, scopes include each other, one text of grants is accepted."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.access import Grants, Person, RecordFacts, Scope, decide
from contracts.permissions import PERMISSIONS
from kit import base64url

FEW = ("a.view", "b.edit", "c.view")
USER, OTHER, TEAM, LAND, BELOW = (uuid4() for _ in range(5))
PERSON = Person(USER, frozenset({TEAM}), frozenset({LAND}), frozenset({LAND, BELOW}))
REACHED_FROM = {
    "responsible": (RecordFacts(responsible=USER), Scope.OWN),
    "second responsible": (RecordFacts(responsible=OTHER, second_responsible=USER), Scope.OWN2),
    "team": (RecordFacts(responsible=OTHER, team=TEAM), Scope.TEAM),
    "territory": (RecordFacts(responsible=OTHER, territory=LAND), Scope.TERRITORY),
    "territory tree": (RecordFacts(responsible=OTHER, territory=BELOW), Scope.TERRITORY_TREE),
    "all": (RecordFacts(responsible=OTHER, team=uuid4(), territory=uuid4()), Scope.ALL),
}


@pytest.mark.parametrize("reason", REACHED_FROM)
@pytest.mark.parametrize("scope", list(Scope))
def test_a_record_is_reached_from_its_scope_on_and_from_none_before(reason, scope):
    record, least = REACHED_FROM[reason]
    decision = decide(Grants(FEW, {"a.view": scope}), "a.view", PERSON, record)
    assert decision.allowed == (scope >= least)
    if decision.allowed:
        assert decision.reason == reason


def test_a_record_of_nobody_is_reached_by_all_only():
    """None is no team and no territory, whatever a person belongs to."""
    for scope in Scope:
        grants = Grants(FEW, {"a.view": scope})
        assert decide(grants, "a.view", PERSON, RecordFacts()).allowed == (scope is Scope.ALL)


def test_without_a_record_any_grant_is_enough_and_none_is_none():
    grants = Grants(FEW, {"a.view": Scope.OWN, "b.edit": Scope.NONE})
    assert decide(grants, "a.view", PERSON).allowed
    assert not decide(grants, "b.edit", PERSON).allowed
    assert not decide(grants, "c.view", PERSON).allowed
    assert not decide(grants, "d.nowhere", PERSON).allowed


def test_a_grant_outside_of_the_catalogue_cannot_be_made():
    with pytest.raises(ValueError, match=r"d\.view"):
        Grants(FEW, {"d.view": Scope.ALL})


scopes = st.dictionaries(st.sampled_from(PERMISSIONS), st.sampled_from(list(Scope)))


@given(scopes)
def test_grants_survive_their_journey(granted):
    grants = Grants(PERMISSIONS, granted)
    assert dict(Grants.decode(PERMISSIONS, grants.encode()).items()) == dict(grants.items())


def text_of(bits: int, size: int) -> str:
    return base64url.encode(bits.to_bytes(size, "little"))


HOSTILE = {
    "empty": "",
    "too short": text_of(1, 1),
    "too long": text_of(1, 3),
    "scope 7": text_of(7, 2),
    "scope 7 of the last": text_of(7 << 6, 2),
    "a bit beyond the catalogue": text_of(1 | 1 << 9, 2),
    "the last bit": text_of(1 | 1 << 15, 2),
    "padding": text_of(1, 2) + "=",
    "a newline": text_of(1, 2) + "\n",
    "a blank in front": " " + text_of(1, 2),
    "foreign characters": "A!QAA",
    "a second text of the same bits": text_of(1, 2)[:-1] + "B",
    "plain base64 letters": "+/A",
    "not ASCII": "é" * 3,
    "a surrogate": "\ud800AA",
}


def test_the_table_begins_at_a_good_text():
    assert dict(Grants.decode(FEW, text_of(1, 2)).items()) == {"a.view": Scope.OWN}
    assert dict(Grants.decode(FEW, text_of(6 << 6, 2)).items()) == {"c.view": Scope.ALL}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_grants_that_encode_cannot_have_made_are_refused(text):
    with pytest.raises(ValueError):
        Grants.decode(FEW, text)


@given(st.text(alphabet="AQgwBIJ-_é=\n", max_size=6))
def test_two_texts_never_mean_the_same_grants(text):
    try:
        grants = Grants.decode(FEW, text)
    except ValueError:
        return
    assert grants.encode() == text


@pytest.mark.parametrize(
    ("granted", "covered"),
    [
        ({}, True),
        ({"a.view": Scope.TEAM}, True),
        ({"a.view": Scope.OWN, "b.edit": Scope.ALL}, True),
        ({"a.view": Scope.TERRITORY}, False),
        ({"c.view": Scope.OWN}, False),
        ({"b.edit": Scope.ALL, "c.view": Scope.OWN}, False),
    ],
)
def test_covering_asks_for_every_grant_at_least_as_widely(granted, covered):
    wide = Grants(FEW, {"a.view": Scope.TEAM, "b.edit": Scope.ALL})
    assert wide.covers(Grants(FEW, granted)) == covered
