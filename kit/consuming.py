"""Consuming notices: one queue per service; the effect is committed, once, before the ack."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kit import inbox
from kit.db import Database, WriteSession
from kit.messaging import Broker, Message, Subscription
from kit.notice import Notice
from kit.problems import Problem

NoticeHandler = Callable[[WriteSession, Any], Awaitable[None]]
Handlers = Mapping[type[Notice], NoticeHandler]


class NoticeUnknown(Problem, status=422, slug="notice-unknown"):
    """No handler for this notice

    The queue is still bound to a topic that this release does not handle; the message is kept
    among the dead letters.
    """


async def consume(
    broker: Broker, db: Database, service: str, handlers: Handlers, *, queue: str
) -> Subscription:
    """Hand each notice of the table to its handler within a transaction of `db`.

    A handler that raises rolls its transaction back: a Problem parks the notice, anything else
    has it delivered again.
    """
    by_topic = {kind.topic: (kind, handler) for kind, handler in handlers.items()}

    async def on_message(message: Message) -> None:
        if message.topic not in by_topic:
            raise NoticeUnknown(message.topic)
        kind, handler = by_topic[message.topic]
        notice = kind.from_message(message)
        async with db.write() as session:
            if await inbox.once(session, service, message.id):
                await handler(session, notice)

    return await broker.consume(queue, sorted(by_topic), on_message)
