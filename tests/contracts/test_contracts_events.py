"""Notices of the release before are read where they may still wait: in an outbox, in a queue."""

import json
from uuid import uuid4

import pytest

from contracts.events import JournalAdvanced
from kit.messaging import Message
from kit.notice import NoticeMalformed


def with_data(**more: str) -> tuple[JournalAdvanced, Message]:
    """A notice, and its message with members that today's do not have."""
    notice = JournalAdvanced(tenant=uuid4())
    message = notice.to_message(source="/tenants")
    envelope = json.loads(message.body)
    envelope["data"] |= more
    return notice, Message(message.id, message.topic, json.dumps(envelope).encode())


def test_an_advanced_journal_is_told_with_the_tenant_alone() -> None:
    assert JournalAdvanced(tenant=uuid4()).model_dump().keys() == {"tenant"}


def test_a_notice_of_before_that_carries_a_position_is_read() -> None:
    notice, message = with_data(position="MXw...")
    assert JournalAdvanced.from_message(message) == notice


def test_any_other_member_is_refused() -> None:
    _, message = with_data(name="a")
    with pytest.raises(NoticeMalformed):
        JournalAdvanced.from_message(message)
