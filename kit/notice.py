"""A notice: something has happened, told with ids, positions, times and enums only.

The envelope is CloudEvents 1.0 (structured mode, JSON event format) with the distributed tracing
extension, so that any consumer can read it without our code.
"""

import json
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from kit import clock
from kit.messaging import Message
from kit.problems import Problem
from kit.telemetry import trace_parent
from kit.uuid7 import uuid7

CONTENT_TYPE = "application/cloudevents+json"


class NoticeMalformed(Problem, status=422, slug="notice-malformed"):
    """The message is not a notice of the expected kind

    It is kept among the dead letters: the operator finds out which release sent it.
    """


class Notice(BaseModel):
    """Base of all notices; a subclass names its `topic` as `service.entity.verb.v1`, and the
    services that read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    topic: ClassVar[str]
    readers: ClassVar[tuple[str, ...]]

    def to_message(self, *, source: str) -> Message:
        """A message with a fresh id (UUIDv7) that carries the present trace."""
        event_id, trace = str(uuid7()), trace_parent()
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": self.topic,
            "time": clock.now().isoformat(),
            "datacontenttype": "application/json",
            "traceparent": trace,
            "data": self.model_dump(mode="json"),
        }
        body = json.dumps(envelope, separators=(",", ":")).encode()
        headers = {"content-type": CONTENT_TYPE, "traceparent": trace}
        return Message(event_id, self.topic, body, headers)

    @classmethod
    def from_message(cls, message: Message) -> Self:
        """Read the notice; NoticeMalformed where it is another kind or broken."""
        try:
            envelope = _Envelope.model_validate_json(message.body)
            if envelope.type != cls.topic or str(envelope.id) != message.id:
                raise NoticeMalformed("the envelope and the message disagree")
            return cls.model_validate(envelope.data)
        except ValidationError:
            raise NoticeMalformed(f"not a {cls.topic}") from None


class _Envelope(BaseModel):
    """The attributes that we read; CloudEvents lets senders add others."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    time: AwareDatetime
    data: dict[str, Any]
