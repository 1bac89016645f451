"""Hostile descriptions of types: read as documented or refused as a failed call, in linear time."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.crm.dataverse.metadata import (
    ChoiceDetail,
    ColumnDetail,
    MomentDetail,
    NumberDetail,
    TextDetail,
    details,
    relations,
)
from services.sync.egress import CallFailed, Reply
from tests.growth import TWICE, growth

SHAPES: tuple[type[ColumnDetail], ...] = (ChoiceDetail, MomentDetail, NumberDetail, TextDetail)
NAMES = st.sampled_from(
    "LogicalName MaxLength MinValue MaxValue Precision PrecisionSource DateTimeBehavior Value"
    " OptionSet GlobalOptionSet Options Label LocalizedLabels UserLocalizedLabel"
    " ReferencingAttribute ReferencedEntity ReferencingEntityNavigationPropertyName".split()
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS | st.integers(10**300, 10**301),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.dictionaries(NAMES, VALUES, max_size=6).map(lambda one: {"LogicalName": "c", **one})


@given(st.lists(ENTRIES, max_size=3), st.sampled_from([200, 204, 403, 429, 500]))
def test_whatever_a_type_is_said_to_be_it_is_read_or_the_call_has_failed(
    entries: list[object], status: int
) -> None:
    reply = Reply(status, {}, json.dumps({"value": entries}).encode())
    for shape in SHAPES:
        with contextlib.suppress(CallFailed):
            assert all(isinstance(one, shape) for one in details(reply, shape).values())
    with contextlib.suppress(CallFailed):
        relations(reply)


LABEL = '{"LocalizedLabels":[{"Label":"a"}],"UserLocalizedLabel":null}'
LARGE: dict[str, Callable[[int], str]] = {
    "options": lambda size: ",".join(f'{{"Value":{n},"Label":{LABEL}}}' for n in range(size)),
    "labels": lambda size: (
        '{"Value":1,"Label":{"LocalizedLabels":[' + ",".join(['{"Label":"a"}'] * size) + "]}}"
    ),
    "nothing": lambda size: ",".join(["{}"] * size),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_choice_costs_what_it_is_long(kind: str) -> None:
    def made(size: int) -> Reply:
        options = LARGE[kind](size)
        text = f'{{"value":[{{"LogicalName":"c","OptionSet":{{"Options":[{options}]}}}}]}}'
        return Reply(200, {}, text.encode())

    def read(reply: Reply) -> None:
        with contextlib.suppress(CallFailed):
            found = details(reply, ChoiceDetail)
            assert [one.labels for one in found["c"].options]

    assert growth(read, made, 1_000) <= TWICE


def test_the_name_under_which_a_lookup_is_written_can_hold_nothing_but_a_name() -> None:
    one = {"ReferencingAttribute": "a", "ReferencedEntity": "b"}
    name = "ReferencingEntityNavigationPropertyName"
    for text in ("a@odata.bind", 'a":1,"b', "", "a b", "ä"):
        reply = Reply(200, {}, json.dumps({"value": [one | {name: text}]}).encode())
        with pytest.raises(CallFailed):
            relations(reply)
