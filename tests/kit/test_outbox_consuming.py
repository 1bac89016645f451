"""Outbox, inbox and consuming on a real PostgreSQL: a change and its notice happen as one."""

import asyncio
import json
import uuid
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from kit import inbox, outbox, telemetry
from kit.consuming import consume
from kit.db import Database, WriteSession
from kit.messaging import Message
from kit.messaging.memory import MemoryBroker
from kit.notice import NoticeMalformed
from kit.problems import NotFound
from kit.timers import running
from tests.eventually import eventually
from tests.outboxes import OutboxDatabase, ThingHappened


def happened(number: int = 1) -> ThingHappened:
    return ThingHappened(thing=uuid.uuid4(), number=number)


async def remember(session: WriteSession, notice: ThingHappened) -> None:
    await session.run(text("INSERT INTO effect VALUES (:n)"), {"n": notice.number})


async def effects(database: OutboxDatabase) -> list[int]:
    return [row["number"] for row in await database.fetch("SELECT number FROM effect")]


def test_a_notice_travels_as_a_cloud_event_and_comes_back_equal() -> None:
    notice = happened(7)
    with telemetry.bind_trace(None) as trace:
        message = notice.to_message(source="/test")
    event = json.loads(message.body)
    assert ThingHappened.from_message(message) == notice
    assert event["specversion"] == "1.0"
    assert (event["id"], event["source"]) == (message.id, "/test")
    assert event["type"] == message.topic == "test.thing.happened.v1"
    assert event["traceparent"] == message.headers["traceparent"] == trace
    assert event["data"] == {"thing": str(notice.thing), "number": 7}
    assert uuid.UUID(message.id).version == 7


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b"{}", b"\xff", b'{"specversion":"1.0"}'],
)
def test_a_broken_envelope_is_refused_without_echoing_it(broken: bytes) -> None:
    message = happened().to_message(source="/test")
    with pytest.raises(NoticeMalformed) as refused:
        ThingHappened.from_message(Message(message.id, message.topic, broken))
    assert "specversion" not in str(refused.value)


@pytest.mark.parametrize(
    "change", [{"type": "test.other.v1"}, {"data": {"number": 1}}, {"id": "x"}]
)
def test_an_envelope_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    message = happened().to_message(source="/test")
    body = json.dumps(json.loads(message.body) | change).encode()
    with pytest.raises(NoticeMalformed):
        ThingHappened.from_message(Message(message.id, message.topic, body))


async def test_a_notice_is_sent_only_if_its_change_commits(
    database: OutboxDatabase, db: Database
) -> None:
    with telemetry.bind_trace(None) as trace:
        async with db.write() as session:
            await outbox.add(session, happened(1))

    async def change_in_vain() -> None:
        async with db.write() as session:
            await outbox.add(session, happened(2))
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        await change_in_vain()
    (row,) = await database.fetch("SELECT topic, body, headers FROM outbox")
    assert json.loads(row["body"])["data"]["number"] == 1
    assert json.loads(row["body"])["source"] == "/test"
    assert json.loads(row["headers"])["traceparent"] == trace


async def test_the_relay_may_read_and_delete_in_the_outbox_and_nothing_else(
    database: OutboxDatabase,
) -> None:
    connection = await asyncpg.connect(database.relay_url)
    try:
        assert await connection.fetch("SELECT * FROM outbox") == []
        await connection.execute("DELETE FROM outbox")
        for forbidden in (
            "UPDATE outbox SET topic = ''",
            "INSERT INTO outbox (event_id, topic, body, headers)"
            " VALUES (gen_random_uuid(), '', '', '{}')",
            "TRUNCATE outbox",
            "SELECT * FROM inbox",
            "SELECT * FROM effect",
            "CREATE TABLE mine (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
    finally:
        await connection.close()


async def test_a_notice_delivered_twice_has_one_effect(
    database: OutboxDatabase, db: Database, broker: MemoryBroker
) -> None:
    await consume(broker, db, "test", {ThingHappened: remember}, queue="test")
    message = happened(1).to_message(source="/test")
    for _ in range(3):
        await broker.publish(message)
    await broker.publish(happened(2).to_message(source="/test"))
    await eventually(lambda: _has(database, [1, 2]))


async def test_of_two_deliveries_at_the_same_time_one_has_the_effect(
    database: OutboxDatabase, db: Database
) -> None:
    event, inside = str(uuid.uuid4()), asyncio.Barrier(2)

    async def effect() -> bool:
        async with db.write() as session:
            await session.scalar(text("SELECT 1"))
            await inside.wait()
            return await inbox.once(session, "test", event)

    assert sorted(await asyncio.gather(effect(), effect())) == [False, True]


async def test_an_effect_that_fails_leaves_nothing_and_is_tried_again(
    database: OutboxDatabase, db: Database, broker: MemoryBroker
) -> None:
    calls: list[int] = []

    async def fail_once(session: WriteSession, notice: ThingHappened) -> None:
        await remember(session, notice)
        calls.append(notice.number)
        if len(calls) == 1:
            raise RuntimeError("between effect and commit")

    await consume(broker, db, "test", {ThingHappened: fail_once}, queue="test")
    await broker.publish(happened(5).to_message(source="/test"))
    await eventually(lambda: _has(database, [5]))
    assert calls == [5, 5]


async def test_what_can_never_succeed_is_parked_without_effect(
    database: OutboxDatabase, db: Database, broker: MemoryBroker
) -> None:
    async def refuse(session: WriteSession, notice: ThingHappened) -> None:
        await remember(session, notice)
        raise NotFound

    await consume(broker, db, "test", {ThingHappened: refuse}, queue="test")
    good = happened().to_message(source="/test")
    broken = Message(str(uuid.uuid4()), good.topic, b"{")
    for message in (good, broken):
        await broker.publish(message)

    async def both_dead() -> bool:
        return await broker.dead_letters("test") == [good, broken]

    await eventually(both_dead)
    assert await effects(database) == []
    assert await database.fetch("SELECT * FROM inbox") == []


async def test_a_topic_that_this_release_does_not_know_is_parked_and_seen(
    database: OutboxDatabase, db: Database, broker: MemoryBroker
) -> None:
    async def ignore(_: Message) -> None:
        return None

    older = await broker.consume("test", ["test.older.v1"], ignore)
    await older.close()
    await consume(broker, db, "test", {ThingHappened: remember}, queue="test")
    unknown = Message(str(uuid.uuid4()), "test.older.v1", b"{}")
    await broker.publish(unknown)

    async def is_parked() -> bool:
        return await broker.dead_letters("test") == [unknown]

    await eventually(is_parked)


async def test_a_notice_that_nobody_reads_is_not_written(
    database: OutboxDatabase, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingHappened, "readers", ())
    async with db.write() as session:
        await outbox.add(session, happened(1))
    assert await database.waiting() == 0


async def test_two_services_each_have_the_effect_of_one_notice(
    database: OutboxDatabase, db: Database, broker: MemoryBroker
) -> None:
    for service in ("one", "two"):
        await consume(broker, db, service, {ThingHappened: remember}, queue=service)
    await broker.publish(happened(3).to_message(source="/test"))
    await eventually(lambda: _has(database, [3, 3]))


async def test_the_inbox_forgets_what_the_broker_can_no_longer_repeat(
    database: OutboxDatabase, db: Database
) -> None:
    await database.fetch(
        "INSERT INTO inbox (consumer, event_id, seen_at) VALUES"
        " ('old', gen_random_uuid(), now() - interval '15 days'),"
        " ('new', gen_random_uuid(), now() - interval '13 days')"
    )

    async def only_the_new_one_is_left() -> bool:
        return [row["consumer"] for row in await database.fetch("SELECT * FROM inbox")] == ["new"]

    async with running([inbox.forgetting(db)]):
        await eventually(only_the_new_one_is_left)


async def _has(database: OutboxDatabase, numbers: list[int]) -> bool:
    return sorted(await effects(database)) == numbers
