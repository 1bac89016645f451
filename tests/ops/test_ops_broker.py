"""Each program's user at the broker may do what the program does, and nothing else."""

import json
import re
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from contracts.broker import BULKHEAD
from contracts.events import EVENTS, READERS, TenantSuspended
from kit.messaging import BrokerDown, Message, PublishFailed
from kit.messaging.amqp import AmqpBroker, prepare
from kit.messaging.letters import Letter, Letters
from kit.problems import NotFound
from ops import broker
from ops.local.rabbitmq import RabbitMq
from ops.local.rabbitmq_install import ensure_installed
from tests.eventually import eventually

PASSWORDS = {name: secrets.token_urlsafe(9) for name in broker.NAMES}


@pytest.fixture(scope="module")
def node(scratch: Path) -> Iterator[RabbitMq]:
    ensure_installed()
    made = RabbitMq(
        scratch / "rabbitmq-with-users",
        definitions=lambda own: broker.definitions(PASSWORDS | {broker.ADMINISTRATOR: own}),
    )
    made.start()
    yield made
    made.stop()


def url(node: RabbitMq, name: str) -> str:
    return broker.url_of(name, PASSWORDS[name], "127.0.0.1", node.port)


async def ignore(_: Message) -> None:
    pass


async def may(node: RabbitMq, name: str, deed: str, thing: str) -> bool:
    """Whether the broker lets the user publish to an exchange, read a queue, or make a queue."""
    async with await aio_pika.connect(url(node, name)) as connection:
        channel = await connection.channel()
        try:
            match deed:
                case "publish":
                    exchange = await channel.get_exchange(thing, ensure=False)
                    await exchange.publish(aio_pika.Message(b""), "nowhere", mandatory=False)
                case "read":
                    queue = await channel.get_queue(thing, ensure=False)
                    got = await queue.get(fail=False)
                    if got is not None:
                        await got.nack(requeue=True)
                case _:
                    await channel.declare_queue(thing, durable=True)
        except AMQPError:
            return False
    return True


QUEUES = [BULKHEAD.queue_of(service) for service in READERS]
EXCHANGES = [BULKHEAD.exchange, BULKHEAD.again, "amq.direct", "bulkhead.dead", "bulkhead.unrouted"]


@pytest.mark.parametrize("name", [one for one in broker.NAMES if one != broker.ADMINISTRATOR])
async def test_a_user_has_the_rights_of_its_program_and_no_other(node: RabbitMq, name: str) -> None:
    reads = {q for q in QUEUES if await may(node, name, "read", q)}
    looks = {q for q in QUEUES if await may(node, name, "read", f"{q}.dead")}
    publishes = {e for e in EXCHANGES if await may(node, name, "publish", e)}
    assert reads == ({BULKHEAD.queue_of(name)} if name in READERS else set())
    assert looks == (set(QUEUES) if name == broker.OPERATOR else set())
    expected = {"relay": {BULKHEAD.exchange}, broker.OPERATOR: {BULKHEAD.again}}
    assert publishes == expected.get(name, set())
    assert not await may(node, name, "make", f"bulkhead.{name}.more")


async def test_a_notice_travels_with_these_users_and_what_is_missing_is_not_made(
    node: RabbitMq,
) -> None:
    relay, reader = (
        AmqpBroker(url(node, "relay"), BULKHEAD),
        AmqpBroker(url(node, "gateway"), BULKHEAD),
    )
    got: list[Message] = []

    async def take(message: Message) -> None:
        got.append(message)

    message = TenantSuspended(tenant=uuid4()).to_message(source="/tenants")
    await relay.publish(message)
    await reader.consume(BULKHEAD.queue_of("gateway"), [], take)
    await eventually(lambda: [one.id for one in got] == [message.id])
    with pytest.raises(PublishFailed):
        await reader.publish(message)
    away = await reader.consume("bulkhead.other", [], ignore)
    assert vars(away)["_attached"].is_set() is False
    with pytest.raises(BrokerDown, match=r"not consuming yet: bulkhead\.other"):
        await reader.ping()
    await reader.close()
    await relay.close()


async def test_a_consumer_whose_queue_has_gone_is_not_ready_until_it_is_back(
    node: RabbitMq,
) -> None:
    queue, reader = BULKHEAD.queue_of("sync"), AmqpBroker(url(node, "sync"), BULKHEAD)
    await reader.consume(queue, [], ignore)
    await reader.ping()
    async with await aio_pika.connect(node.url) as connection:
        await (await connection.channel()).queue_delete(queue)

    async def says(words: str) -> bool:
        try:
            await reader.ping()
        except BrokerDown as down:
            return str(down) == words
        return words == "ready"

    await eventually(partial(says, f"not consuming yet: {queue}"))
    await prepare(node.url, BULKHEAD, broker.topics())
    await eventually(partial(says, "ready"))
    await reader.close()


async def test_every_event_that_is_sent_has_its_queues_and_nothing_is_unrouted(
    node: RabbitMq,
) -> None:
    letters = Letters(url(node, broker.OPERATOR), BULKHEAD, QUEUES)
    await letters.drop(None, lambda _: True)
    relay = AmqpBroker(url(node, "relay"), BULKHEAD)
    for event in EVENTS:
        if event.readers:
            await relay.publish(Message(str(uuid4()), event.topic, b"{}"))
    await relay.close()
    assert await letters.list(None) == []
    await letters.close()


async def test_dead_letters_are_listed_sent_again_and_dropped(node: RabbitMq) -> None:
    queue, works = BULKHEAD.queue_of("backup"), False
    handled: list[Message] = []

    async def handler(message: Message) -> None:
        if not works:
            raise NotFound
        handled.append(message)

    relay, reader = (
        AmqpBroker(url(node, "relay"), BULKHEAD),
        AmqpBroker(url(node, "backup"), BULKHEAD),
    )
    letters = Letters(url(node, broker.OPERATOR), BULKHEAD, QUEUES)
    await letters.drop(queue, lambda _: True)
    await reader.consume(queue, [], handler)
    ids = [str(uuid4()) for _ in range(3)]
    body = json.dumps({"a": 1}).encode()
    for one in ids:
        await relay.publish(
            Message(one, "tenants.tenant.created.v1", body, {"content-type": "text/x"})
        )

    async def dead() -> list[Letter]:
        return await letters.list(queue)

    async def all_are_dead() -> bool:
        await letters.drop(queue, lambda one: one.id not in ids)  # of other tests
        return sorted(one.id for one in await dead()) == sorted(ids)

    await eventually(all_are_dead)
    assert (await letters.counts())[queue] == 3
    assert [one.id for one in await letters.list(queue, 2)] == ids[:2]
    first = (await dead())[0]
    assert (first.queue, first.topic, first.body) == (queue, "tenants.tenant.created.v1", body)
    assert first.reason == "rejected"
    assert first.died_at is not None
    works = True
    assert await letters.replay(queue, lambda one: one.id == ids[1]) == 1
    await eventually(lambda: [one.id for one in handled] == [ids[1]])
    topic, headers = "tenants.tenant.created.v1", {"content-type": "text/x"}
    assert handled == [Message(ids[1], topic, body, headers)]  # without the marks of its death
    assert await letters.drop(queue, lambda one: one.id == ids[0]) == 1
    assert [one.id for one in await dead()] == [ids[2]]
    works = False
    assert await letters.replay(queue, lambda _: True) == 1

    async def is_dead_again() -> bool:
        return [one.id for one in await dead()] == [ids[2]]

    await eventually(is_dead_again)
    for thing in (letters, reader, relay):
        await thing.close()


async def test_a_letter_that_cannot_be_sent_again_stays_a_letter(node: RabbitMq) -> None:
    queue, name = BULKHEAD.queue_of("backup"), str(uuid4())
    letters = Letters(url(node, broker.OPERATOR), BULKHEAD, QUEUES)
    await letters.drop(queue, lambda _: True)
    async with await aio_pika.connect(node.url) as connection:
        channel = await connection.channel()
        dead = await channel.get_exchange("bulkhead.dead", ensure=False)
        await dead.publish(aio_pika.Message(b"{}", message_id=name, delivery_mode=2), queue)
        place = await channel.get_queue(queue, ensure=False)
        await place.unbind(BULKHEAD.again, queue)
        try:
            with pytest.raises(BrokerDown):
                await letters.replay(queue, lambda _: True)
        finally:
            await place.bind(BULKHEAD.again, queue)
    assert [one.id for one in await letters.list(queue)] == [name]
    assert await letters.drop(queue, lambda _: True) == 1
    await letters.close()


async def test_every_queue_has_a_bound(node: RabbitMq, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters beyond it fall out, the oldest first."""
    small = {pattern: rule | {"max-length": 3} for pattern, rule in broker._BOUNDS.items()}
    monkeypatch.setattr(broker, "_BOUNDS", small)
    for queue in (*QUEUES, *(f"{queue}.dead" for queue in QUEUES)):
        assert [rule for pattern, rule in small.items() if re.match(pattern, queue)], queue
    node.stop()
    node.start()  # reads the definitions again
    letters = Letters(url(node, broker.OPERATOR), BULKHEAD, QUEUES)
    async with await aio_pika.connect(node.url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("bulkhead.dead", ensure=False)
        for number in range(5):
            message = aio_pika.Message(b"", message_id=str(number), delivery_mode=2)
            await exchange.publish(message, BULKHEAD.queue_of("auth"))

    async def the_newest_are_there() -> bool:
        return [one.id for one in await letters.list(BULKHEAD.queue_of("auth"))] == ["2", "3", "4"]

    await eventually(the_newest_are_there)
    await letters.drop(BULKHEAD.queue_of("auth"), lambda _: True)
    await letters.close()


def test_addresses_of_another_broker_are_taken_for_each_program_or_for_all(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("amqp://auth\n")
    assert broker.given_urls({}) is None
    shared = broker.given_urls({"AMQP_URL": "amqp://all"})
    assert shared is not None
    assert set(shared.values()) == {"amqp://all"}
    own = {"AMQP_URL_AUTH_FILE": str(tmp_path / "auth")}
    mixed = broker.given_urls({"AMQP_URL": "amqp://all"} | own)
    assert mixed is not None
    assert (mixed["auth"], mixed["relay"]) == ("amqp://auth", "amqp://all")
    with pytest.raises(ValueError, match="no address of the broker for tenants, sync"):
        broker.given_urls(own)


def test_the_definitions_hold_no_password() -> None:
    text = broker.definitions(PASSWORDS)
    assert not [one for one in PASSWORDS.values() if one in text]
