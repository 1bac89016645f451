"""What becomes of a message: one rule for both brokers, so that they cannot differ."""

import asyncio
import contextlib
from enum import Enum, auto

from prometheus_client import Counter

from kit import logs, telemetry
from kit.messaging import HANDLER_DEADLINE_S, Handler, Message
from kit.problems import Problem

_MESSAGES = Counter("bulkhead_messages", "Messages by what became of them.", ["queue", "outcome"])
log = logs.get(__name__)
TRY_AGAIN = frozenset({408, 429, 503})


class Handled(Enum):
    DONE = auto()
    AGAIN = auto()
    DEAD = auto()


async def handle(message: Message, handler: Handler, *, queue: str) -> Handled:
    """Run the handler within the message's trace and a deadline, and judge how it ended."""
    verdict = await _judged(message, handler, queue)
    _MESSAGES.labels(queue, verdict.name.lower()).inc()
    return verdict


async def _judged(message: Message, handler: Handler, queue: str) -> Handled:
    with telemetry.trace(
        f"process {message.topic}",
        "consumer",
        parent=message.headers.get("traceparent"),
        topic=message.topic,
        queue=queue,
        event_id=message.id,
    ) as span:
        try:
            async with asyncio.timeout(HANDLER_DEADLINE_S):
                await handler(message)
        except Problem as problem:
            verdict = Handled.AGAIN if problem.status in TRY_AGAIN else Handled.DEAD
            span.fail(problem.slug)
            _log(message, queue, verdict, problem.slug)
            return verdict
        except Exception as error:
            span.fail(type(error).__name__)
            _log(message, queue, Handled.AGAIN, type(error).__name__)
            return Handled.AGAIN
        return Handled.DONE


async def pause(pauses_s: tuple[float, ...], failures: int, closing: asyncio.Event) -> None:
    """Wait before a message that has failed so often is tried again; not when we are closing."""
    wait_s = pauses_s[min(failures, len(pauses_s) - 1)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await closing.wait()


def _log(message: Message, queue: str, verdict: Handled, reason: str) -> None:
    log.warning(
        "message not handled",
        event_id=message.id,
        topic=message.topic,
        queue=queue,
        state=verdict.name.lower(),
        reason=reason,
    )
