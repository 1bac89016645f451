"""A notice is a part of the story of its change: from the outbox over the relay to its effect."""

import uuid
from typing import Any

from sqlalchemy import text

from kit import outbox, telemetry
from kit.consuming import consume
from kit.db import Database, WriteSession
from kit.messaging.memory import MemoryBroker
from kit.problems import NotFound
from kit.relay import Relay
from kit.supervisor import Supervisor, supervising
from tests.eventually import eventually
from tests.otlp_collector import Collector
from tests.outboxes import OutboxDatabase, ThingHappened
from tests.recorded import recorded

TOPIC = ThingHappened.topic


async def carried(
    db: Database, database: OutboxDatabase, broker: MemoryBroker, handler: Any
) -> Collector:
    """A change within a trace, and what becomes of its notice."""
    with recorded() as collector:
        await consume(broker, db, "test", {ThingHappened: handler}, queue="test")
        async with supervising(Supervisor()) as supervisor:
            for name, run in Relay({"sync": database.relay_url}, broker).loops().items():
                supervisor.start(name, run)
            with telemetry.trace("change"):
                async with db.write() as session:
                    await outbox.add(session, ThingHappened(thing=uuid.uuid4(), number=1))
            await eventually(lambda: collector.named(f"process {TOPIC}"))
    return collector


async def test_a_change_its_notice_and_its_effect_are_one_trace(
    db: Database, database: OutboxDatabase, broker: MemoryBroker
) -> None:
    async def handle(session: WriteSession, _notice: ThingHappened) -> None:
        assert await session.scalar(text("SELECT 1")) == 1

    collector = await carried(db, database, broker, handle)
    change, sent = collector.one("change"), collector.one(f"send {TOPIC}")
    published, processed = collector.one(f"publish {TOPIC}"), collector.one(f"process {TOPIC}")
    writes = collector.named(f"write {database.name}")
    assert {one.trace for one in (sent, published, processed, *writes)} == {change.trace}
    assert [one.parent for one in writes] == [change.id, processed.id]
    assert sent.parent == writes[0].id
    assert published.parent == processed.parent == sent.id
    assert (sent.kind, published.kind, processed.kind) == ("producer", "producer", "consumer")
    told = {
        "messaging.destination.name": TOPIC,
        "messaging.message.id": processed.attributes["messaging.message.id"],
    }
    for one in (sent, published, processed):
        assert told.items() <= one.attributes.items()
    assert not processed.failed


async def test_a_transaction_is_one_span_without_a_word_of_sql(
    db: Database, database: OutboxDatabase
) -> None:
    with recorded() as collector:
        with telemetry.trace("work"):
            async with db.read() as session:
                await session.scalar(text("SELECT 1"))
                await session.scalar(text("SELECT 1"))
    assert {one.name for one in collector.spans} == {"work", f"read {database.name}"}
    assert collector.one(f"read {database.name}").attributes == {
        "db.system.name": "postgresql",
        "db.namespace": database.name,
    }
    assert b"SELECT" not in b"".join(collector.raw)


async def test_a_notice_that_is_not_handled_is_a_span_that_failed(
    db: Database, database: OutboxDatabase, broker: MemoryBroker
) -> None:
    async def handle(_session: WriteSession, _notice: ThingHappened) -> None:
        raise NotFound("hunter2")

    collector = await carried(db, database, broker, handle)
    processed = collector.named(f"process {TOPIC}")[0]
    assert processed.failed
    assert processed.attributes["error.type"] == "not-found"
    assert b"hunter2" not in b"".join(collector.raw)
