"""Messages between services: the port that the real and the in-memory broker both keep.

A published message has reached every queue that asked for its topic when `publish` returns, and
is handed to each of these queues at least once, one at a time, in the order of publishing (one
that is repeated may come after later ones).
What the handler of a queue does with it decides what comes next:

- it returns: the message is done;
- it raises a Problem (will never succeed): the message goes to the dead letters at once, unless
  the status says "try again" (408, 429, 503);
- it raises anything else, or takes longer than `HANDLER_DEADLINE_S`: the message comes again after
  a growing pause, and goes to the dead letters after `DELIVERY_LIMIT` repetitions.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kit.causes import NotReady

DELIVERY_LIMIT = 5
HANDLER_DEADLINE_S = 60.0
PUBLISH_DEADLINE_S = 5.0
RETRY_PAUSES_S = (0.1, 0.5, 2.0, 5.0, 10.0)
CLOSE_DEADLINE_S = 15.0
LISTED = 100


@dataclass(frozen=True)
class Message:
    """What travels: `id` stays the same when the message is sent or delivered again."""

    id: str
    topic: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Message], Awaitable[None]]


class PublishFailed(Exception):
    """The broker did not confirm the message: it may or may not arrive, so send it again."""


class BrokerDown(NotReady):
    """There is no connection to the broker just now; consumers come back by themselves."""


class Subscription(Protocol):
    """A running consumer of one queue."""

    async def close(self) -> None:
        """Let the message in hand be finished, give the others back, and stop."""


class Broker(Protocol):
    """A message broker with one topic exchange and one durable queue per consumer service."""

    async def publish(self, message: Message, *, deadline_s: float = PUBLISH_DEADLINE_S) -> None:
        """Return when the broker has made the message safe; raise PublishFailed otherwise.

        A message that no queue asked for is kept among the unrouted ones (a bounded queue for the
        operator) and counts as published: a notice that nobody reads must not block the others.
        """

    async def consume(
        self, queue: str, topics: Sequence[str], handler: Handler, *, dead_letter: bool = True
    ) -> Subscription:
        """Bind `queue` to the topics (exact names) and hand its messages to `handler` in turn.

        `dead_letter=False`: messages that cannot be handled are dropped, not kept.
        """

    async def dead_letters(self, queue: str) -> list[Message]:
        """What the consumers of `queue` could not handle: the oldest `LISTED`; they stay there.

        Raises BrokerDown where the broker cannot tell.
        """

    async def unrouted(self) -> list[Message]:
        """What no queue asked for: the oldest `LISTED`; they stay there."""

    async def ping(self) -> None:
        """Raise BrokerDown where no message could be published or consumed just now."""

    async def close(self) -> None:
        """Close all subscriptions and the connection."""
