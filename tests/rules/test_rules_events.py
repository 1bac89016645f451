"""Events carry ids, positions, times and enums only, and their pages are current."""

import enum
import re
import types
from datetime import datetime
from typing import Union, get_args, get_origin
from uuid import UUID

import pytest

import contracts.events
from contracts.events import EVENTS
from kit.notice import Notice
from ops.docs import pages

TOPIC = re.compile(r"^[a-z_]+\.[a-z_]+\.[a-z_]+\.v\d+$")


def carries_only_references(event: type[Notice]) -> bool:
    return all(_is_reference(name, f.annotation) for name, f in event.model_fields.items())


def _is_reference(name: str, kind: object) -> bool:
    if get_origin(kind) in (Union, types.UnionType):
        return all(one is type(None) or _is_reference(name, one) for one in get_args(kind))
    if name == "position":
        return kind is str
    return kind in (UUID, datetime) or (isinstance(kind, type) and issubclass(kind, enum.Enum))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.topic)
def test_no_event_carries_anything_but_references(event):
    assert carries_only_references(event)


def test_the_rule_sees_an_event_that_carries_a_name():
    class Chatty(Notice):
        topic = "test.chatty.said.v1"
        tenant: UUID
        name: str

    assert not carries_only_references(Chatty)


def test_every_event_is_registered_once_under_a_well_formed_topic():
    defined = {
        one
        for one in vars(contracts.events).values()
        if isinstance(one, type) and issubclass(one, Notice) and one is not Notice
    }
    assert defined == set(EVENTS)
    assert len({event.topic for event in EVENTS}) == len(EVENTS)
    assert all(TOPIC.match(event.topic) for event in EVENTS)


def test_the_generated_pages_are_current():
    for path, text in pages().items():
        assert path.read_text() == text, f"{path.name} is stale: make docs"
