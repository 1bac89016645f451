"""The outbox: a notice is written in the transaction of its change, so both happen or neither."""

import json

from sqlalchemy import text

from kit import telemetry
from kit.db import WriteSession
from kit.notice import Notice

_INSERT = text(
    "INSERT INTO outbox (event_id, topic, body, headers)"
    " VALUES (CAST(:event_id AS uuid), :topic, :body, CAST(:headers AS jsonb))"
)


async def add(session: WriteSession, notice: Notice) -> None:
    """Send the notice if, and only if, the session's transaction commits.

    One that nobody reads is not written: it would only fill the queue of what no queue asked for.
    The source of the event is the service that its topic begins with.
    """
    if not notice.readers:
        return
    with telemetry.span(f"send {notice.topic}", "producer", topic=notice.topic) as span:
        message = notice.to_message(source=f"/{notice.topic.split('.')[0]}")
        span.note(event_id=message.id)
        await session.run(
            _INSERT,
            {
                "event_id": message.id,
                "topic": message.topic,
                "body": message.body,
                "headers": json.dumps(dict(message.headers)),
            },
        )
