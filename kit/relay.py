"""The relay: takes notices from the services' outboxes to the broker, each at least once.

One relay at a time leads an outbox (an advisory lock of its database; others stand by), publishes
its rows one after the other in the order of `seq`, and deletes a row after the broker's
confirmation. So of two notices of which one was committed before the other was written, the first
is published first; a crash between confirmation and deletion repeats the notice.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge

from kit import clock, logs, telemetry
from kit.causes import NotReady
from kit.locks import lock
from kit.messaging import Broker, Message, PublishFailed
from kit.supervisor import Run

log = logs.get(__name__)
BATCH = 100
POLL_S = 1.0
RETRY_S = 1.0
LOOK_LATE_S = 10.0  # a look comes every second; one that is later than this is an alarm
DEADLINE_S = 5.0
LEADER_LOCK = lock("rela")
SELECT = """
SELECT seq, event_id, topic, body, headers, created_at FROM outbox ORDER BY seq LIMIT $1"""
DELETE = "DELETE FROM outbox WHERE seq = ANY ($1::text::bigint[])"
KEEPALIVES = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

RELAYED = Counter("bulkhead_relayed", "Notices that the broker has confirmed.", ["outbox"])
WAITED = Gauge(
    "bulkhead_outbox_oldest_seconds",
    "Age of the oldest waiting notice, or of our last look where that is older.",
    ["outbox"],
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Relay:
    """Relays the outboxes of several services side by side: one that is down holds up no other."""

    def __init__(self, urls: Mapping[str, str], broker: Broker) -> None:
        """`urls`: service -> address of its database for a role with SELECT, DELETE on outbox."""
        self._outboxes = [_Outbox(name, url, broker) for name, url in sorted(urls.items())]
        self._broker = broker

    def loops(self) -> dict[str, Run]:
        """A loop for each outbox, to be supervised."""
        return {f"relay {outbox.name}": outbox.run for outbox in self._outboxes}

    async def check_outboxes(self) -> None:
        """Raise OutboxDown where an outbox cannot be read just now."""
        if down := [outbox.name for outbox in self._outboxes if not outbox.is_reachable]:
            raise OutboxDown(f"out of reach: {', '.join(down)}")


class OutboxDown(NotReady):
    """The databases of these services do not let the relay in."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row of an outbox."""

    seq: int
    event_id: UUID
    topic: str
    body: bytes
    headers: str
    created_at: datetime

    @property
    def message(self) -> Message:
        return Message(str(self.event_id), self.topic, self.body, json.loads(self.headers))


class _Outbox:
    def __init__(self, name: str, url: str, broker: Broker) -> None:
        self.name, self._url, self._broker = name, url, broker
        self.is_reachable = False
        self._wake = asyncio.Event()
        self._looked_at = clock.now()
        self._oldest_at: datetime | None = None
        WAITED.labels(name).set_function(self.age_s)

    def age_s(self) -> float:
        """Computed when it is read: it grows while nobody relays, whatever the reason."""
        since = min(self._oldest_at or self._looked_at, self._looked_at)
        stale_s = (clock.now() - since).total_seconds()
        return stale_s if self._oldest_at or stale_s > LOOK_LATE_S else 0.0

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except PublishFailed as failed:
                self._tell("broker does not confirm", failed)
            except Exception as error:  # whatever it was, the rows wait; begin again
                self.is_reachable = False
                self._tell("outbox is out of reach", error)
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Lead this outbox on one connection until something breaks."""
        connection = await asyncpg.connect(
            self._url, timeout=DEADLINE_S, command_timeout=DEADLINE_S, server_settings=KEEPALIVES
        )
        try:
            await connection.add_listener("outbox", lambda *_: self._wake.set())
            await self._become_leader(connection)
            while True:
                self._wake.clear()
                while await self._relay_batch(connection):
                    pass
                await self._wait()
        finally:
            with contextlib.suppress(OSError, asyncpg.InterfaceError):
                await connection.close(timeout=DEADLINE_S)

    async def _become_leader(self, connection: Connection) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEADER_LOCK):
            self.is_reachable = True
            self._looked_at, self._oldest_at = clock.now(), None  # another relay leads
            await asyncio.sleep(POLL_S)

    async def _relay_batch(self, connection: Connection) -> bool:
        """Publish and delete what waits; True when there may be more."""
        rows = [_Waiting(**row) for row in await connection.fetch(SELECT, BATCH)]
        self.is_reachable = True
        self._looked_at = clock.now()
        self._oldest_at = rows[0].created_at if rows else None
        confirmed: list[str] = []
        try:
            for row in rows:
                await self._publish(row.message)
                confirmed.append(str(row.seq))
        finally:
            if confirmed:
                await connection.execute(DELETE, f"{{{','.join(confirmed)}}}")
                RELAYED.labels(self.name).inc(len(confirmed))
        return len(rows) == BATCH

    async def _publish(self, message: Message) -> None:
        """Within the trace of the change that it tells of."""
        parent, topic = message.headers.get("traceparent"), message.topic
        name, said = f"publish {topic}", {"topic": topic, "event_id": message.id}
        with telemetry.trace(name, "producer", parent=parent, **said):
            await self._broker.publish(message)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()

    def _tell(self, what: str, error: Exception) -> None:
        log.warning(what, database=self.name, reason=type(error).__name__)
