"""The relay as a process: kill -9 and a new start lose nothing; its health says what is down."""

import asyncio
import math
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.broker import BULKHEAD
from contracts.version import VERSION
from kit import outbox
from kit.causes import NotReady
from kit.db import Database
from kit.messaging import Message
from kit.messaging.amqp import AmqpBroker
from kit.messaging.letters import Letters
from ops.local.rabbitmq import RabbitMq
from services.relay import letter_watch
from services.relay.letter_watch import LetterWatch
from services.relay.settings import RelaySettings
from tests.eventually import eventually
from tests.outboxes import OutboxDatabase, ThingHappened, outbox_database
from tests.services.relay.relay_process import RelayProcess


@pytest.fixture
async def database(cluster: Any) -> AsyncIterator[OutboxDatabase]:
    async with outbox_database(cluster) as made:
        yield made


@pytest.fixture
def relay(
    database: OutboxDatabase, rabbitmq: RabbitMq, tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[RelayProcess]:
    process = RelayProcess(tmp_path, free_port(), {"sync": database.relay_url}, rabbitmq.url)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.end()


def _has_arrived(arrived: list[int], enough: int) -> bool:
    return len(arrived) >= enough


async def write(db: Database, numbers: range) -> None:
    async with db.write() as session:
        for number in numbers:
            await outbox.add(session, ThingHappened(thing=uuid.uuid4(), number=number))


async def test_a_killed_relay_loses_nothing_and_goes_on_where_it_was(
    database: OutboxDatabase,
    open_db: Callable[[str], Database],
    rabbitmq: RabbitMq,
    relay: RelayProcess,
) -> None:
    arrived: list[int] = []

    async def take(message: Message) -> None:
        arrived.append(ThingHappened.from_message(message).number)

    broker = await AmqpBroker.connect(rabbitmq.url, BULKHEAD)
    await broker.consume(f"test.relay.{uuid.uuid4()}", [ThingHappened.topic], take)
    await write(open_db(database.url), range(1500))
    for enough in (50, 150):
        relay.start()
        await eventually(partial(_has_arrived, arrived, enough))
        assert relay.end(signal.SIGKILL) == -signal.SIGKILL
    assert await database.waiting() > 0
    relay.start()
    await eventually(lambda: set(arrived) == set(range(1500)))
    assert list(dict.fromkeys(arrived)) == list(range(1500))
    await broker.close()


async def test_the_relay_is_ready_when_broker_and_outboxes_are_and_ends_when_told(
    relay: RelayProcess,
) -> None:
    relay.start()
    await eventually(relay.is_ready)
    checks = (await relay.health())["checks"]
    assert checks.keys() == {"start", "broker", "outboxes", "loops", "letters"}
    checks.pop("letters")  # of other tests at this broker
    assert set(checks.values()) == {"ok"}
    assert await asyncio.to_thread(relay.end) in {0, -signal.SIGTERM}


async def test_the_relay_starts_without_its_dependencies_and_names_what_is_down(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    nowhere = "postgresql://bulkhead_relay:x@127.0.0.1:1/nothing"
    relay = RelayProcess(tmp_path, free_port(), {"auth": nowhere}, "amqp://a:b@127.0.0.1:1/")
    relay.start()
    await eventually(relay.is_up)
    checks = (await relay.health())["checks"]
    assert checks["broker"] == "nothing listens there"
    assert checks["outboxes"] == "out of reach: auth"
    await asyncio.to_thread(relay.end)
    assert "bulkhead_relay:x" not in (tmp_path / "log").read_text()


async def test_an_outbox_that_is_away_makes_the_relay_unready(
    rabbitmq: RabbitMq, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    nowhere = "postgresql://bulkhead_relay:x@127.0.0.1:1/nothing"
    relay = RelayProcess(tmp_path, free_port(), {"auth": nowhere}, rabbitmq.url)
    relay.start()
    try:
        await eventually(relay.is_up)

        async def only_the_outbox_is_away() -> bool:
            checks = (await relay.health())["checks"]
            return (checks["broker"], checks["outboxes"]) == ("ok", "out of reach: auth")

        await eventually(only_the_outbox_is_away)
        assert await relay.status() == 503
    finally:
        await asyncio.to_thread(relay.end)


async def test_a_broker_that_is_away_makes_the_relay_unready_and_no_outbox_is_blamed(
    database: OutboxDatabase,
    open_db: Callable[[str], Database],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    await write(open_db(database.url), range(1))
    urls = {"sync": database.relay_url}
    relay = RelayProcess(tmp_path, free_port(), urls, "amqp://a:b@127.0.0.1:1/")
    relay.start()
    try:
        await eventually(relay.is_up)

        async def has_looked_and_failed() -> bool:
            ages = await relay.metric("bulkhead_outbox_oldest_seconds", "outbox")
            return ages["sync"] > 0 and "does not confirm" in (tmp_path / "log").read_text()

        await eventually(has_looked_and_failed)
        checks = (await relay.health())["checks"]
        assert (checks["broker"], checks["outboxes"]) == ("nothing listens there", "ok")
        assert await relay.status() == 503
    finally:
        await asyncio.to_thread(relay.end)


def test_settings_read_one_url_per_service_and_pass_over_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("postgresql://a\n")
    (tmp_path / "..data").mkdir()
    settings = RelaySettings(port=1, outbox_urls_dir=tmp_path, amqp_url_file=tmp_path / "auth")
    assert settings.outbox_urls == {"auth": "postgresql://a"}


def test_settings_without_any_outbox_are_refused(tmp_path: Path) -> None:
    (tmp_path / "amqp").write_text("amqp://nowhere")
    (tmp_path / "urls").mkdir()
    with pytest.raises(ValueError, match="without an outbox"):
        RelaySettings(port=1, outbox_urls_dir=tmp_path / "urls", amqp_url_file=tmp_path / "amqp")


async def test_letters_that_wait_are_named_in_readiness_and_take_nothing_out_of_service(
    rabbitmq: RabbitMq, relay: RelayProcess
) -> None:
    broker = await AmqpBroker.connect(rabbitmq.url, BULKHEAD)
    watch = LetterWatch(rabbitmq.url)
    letters = Letters(rabbitmq.url, BULKHEAD, [])
    await letters.drop(None, lambda _: True)
    await watch.look()
    await watch.check()
    await broker.publish(Message(str(uuid.uuid4()), "test.nobody.asked.v1", b""))
    await watch.look()
    with pytest.raises(NotReady, match="1 of unrouted"):
        await watch.check()
    count = REGISTRY.get_sample_value("bulkhead_letters", {"queue": "unrouted"})
    assert count == 1.0
    relay.start()
    await eventually(relay.is_ready)
    assert await relay.metric("bulkhead_build_info", "version") == {VERSION: 1}

    async def is_named() -> bool:
        said = (await relay.health())["checks"]["letters"]
        return bool(said == "letters wait for an operator: 1 of unrouted")

    await eventually(is_named)
    assert await relay.status() == 200
    await letters.drop(None, lambda _: True)
    for thing in (broker, watch, letters):
        await thing.close()


async def test_a_count_that_nobody_has_looked_at_of_late_is_no_number(
    rabbitmq: RabbitMq, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = LetterWatch(rabbitmq.url)

    def count() -> float:
        found = REGISTRY.get_sample_value("bulkhead_letters", {"queue": "auth"})
        assert found is not None
        return found

    assert math.isnan(count())
    await watch.look()
    assert count() == 0
    monkeypatch.setattr(letter_watch, "EVERY_S", 0.0)
    assert math.isnan(count())
    await watch.close()
