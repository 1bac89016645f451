"""`bulkhead letters` as processes at a real broker: exit codes, one sentence for a refusal."""

import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.broker import BULKHEAD
from contracts.events import ConnectionRemoved
from kit.messaging import Message
from kit.messaging.amqp import AmqpBroker
from kit.problems import NotFound
from ops import broker
from ops.cli.ending import REFUSED, UNREACHABLE
from ops.local.rabbitmq import RabbitMq
from ops.local.rabbitmq_install import ensure_installed
from tests.eventually import eventually

PASSWORDS = {name: secrets.token_urlsafe(9) for name in broker.NAMES}


@pytest.fixture(scope="module")
def node(scratch: Path) -> Iterator[RabbitMq]:
    ensure_installed()
    made = RabbitMq(
        scratch / "rabbitmq-for-letters",
        definitions=lambda own: broker.definitions(PASSWORDS | {broker.ADMINISTRATOR: own}),
    )
    made.start()
    yield made
    made.stop()


def address(node: RabbitMq, folder: Path, name: str = broker.OPERATOR) -> Path:
    file = folder / f"{name}_amqp_url"
    file.write_text(broker.url_of(name, PASSWORDS[name], "127.0.0.1", node.port) + "\n")
    return file


def letters(file: Path, *words: str, as_json: bool = False) -> tuple[int, str, str]:
    """The command's exit code, its output and its error output."""
    form = ["--output", "json"] if as_json else []
    command = [sys.executable, "-c", "from ops.cli import main; main()", *form, "letters", *words]
    done = subprocess.run(
        [*command, "--broker", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


async def publish(node: RabbitMq, topic: str) -> str:
    relay = AmqpBroker(broker.url_of("relay", PASSWORDS["relay"], "127.0.0.1", node.port), BULKHEAD)
    message = Message(str(uuid4()), topic, b"{}")
    await relay.publish(message)
    await relay.close()
    return message.id


async def test_an_unrouted_letter_is_listed_shown_and_dropped(
    node: RabbitMq, tmp_path: Path
) -> None:
    file, name = address(node, tmp_path), await publish(node, "test.nobody.asked.v1")

    async def is_listed() -> bool:
        code, told, _ = letters(file, "list")
        return code == 0 and name in told

    await eventually(is_listed)
    code, told, _ = letters(file, "show", "unrouted", name)
    assert (code, name in told, "test.nobody.asked.v1" in told) == (0, True, True)
    refused = letters(file, "replay", "unrouted", name)
    assert refused == (REFUSED, "", "what no queue asked for cannot be sent again\n")
    assert letters(file, "drop", "unrouted", name)[0] == 0
    assert letters(file, "drop", "unrouted", name) == (
        REFUSED,
        "",
        f"no letter {name} of unrouted\n",
    )


@pytest.mark.parametrize("command", ["show", "replay", "drop"])
def test_a_letter_that_is_not_there_is_one_sentence(
    node: RabbitMq, tmp_path: Path, command: str
) -> None:
    name = str(uuid4())
    ended = letters(address(node, tmp_path), command, "sync", name)
    assert ended == (REFUSED, "", f"no letter {name} of sync\n")


def test_another_user_is_refused_in_one_sentence(node: RabbitMq, tmp_path: Path) -> None:
    code, told, error = letters(address(node, tmp_path, "sync"), "drop", "sync", "--all")
    assert (code, told, error.count("\n")) == (UNREACHABLE, "", 1)
    assert "no right to that queue" in error


class Reader:
    """The tenants service at its queue: refuses for good until it is `mended`."""

    def __init__(self) -> None:
        self.mended, self.handled = False, list[str]()

    async def handle(self, message: Message) -> None:
        if not self.mended:
            raise NotFound
        self.handled.append(message.id)


def listed(file: Path, service: str = "tenants") -> set[str]:
    """The ids of a service's letters, as the command line lists them."""
    code, told, error = letters(file, "list", as_json=True)
    assert (code, error) == (0, "")
    return {row["id"] for row in json.loads(told) if row["queue"] == BULKHEAD.queue_of(service)}


@pytest.fixture
async def reader(node: RabbitMq) -> AsyncIterator[Reader]:
    """At work for as long as the test lasts."""
    made = Reader()
    url = broker.url_of("tenants", PASSWORDS["tenants"], "127.0.0.1", node.port)
    at_work = await AmqpBroker.connect(url, BULKHEAD, retry_pauses_s=(0.0,))
    await at_work.consume(BULKHEAD.queue_of("tenants"), [], made.handle)
    yield made
    await at_work.close()


async def dead(node: RabbitMq, file: Path, count: int) -> list[str]:
    """So many notices that the reader has refused."""
    ids = [await publish(node, ConnectionRemoved.topic) for _ in range(count)]
    await eventually(lambda: set(ids) <= listed(file))
    return ids


async def test_one_letter_is_sent_again_and_the_others_stay(
    node: RabbitMq, tmp_path: Path, reader: Reader
) -> None:
    file = address(node, tmp_path)
    first, second, third = await dead(node, file, 3)
    reader.mended = True
    code, told, error = letters(file, "replay", "tenants", second, as_json=True)
    assert (code, error) == (0, "")
    assert json.loads(told) == {"service": "tenants", "sent again": 1}
    await eventually(lambda: reader.handled == [second])
    assert listed(file) == {first, third}
    assert letters(file, "replay", "tenants", second) == (
        REFUSED,
        "",
        f"no letter {second} of tenants\n",
    )
    assert letters(file, "drop", "tenants", "--all")[0] == 0


async def test_all_letters_are_sent_again_each_once_and_then_there_are_none(
    node: RabbitMq, tmp_path: Path, reader: Reader
) -> None:
    file = address(node, tmp_path)
    ids = await dead(node, file, 3)
    reader.mended = True
    code, told, _ = letters(file, "replay", "tenants", "--all", as_json=True)
    assert (code, json.loads(told)) == (0, {"service": "tenants", "sent again": 3})
    await eventually(lambda: sorted(reader.handled) == sorted(ids))
    assert listed(file) == set()
    code, told, _ = letters(file, "replay", "tenants", "--all", as_json=True)
    assert (code, json.loads(told)) == (0, {"service": "tenants", "sent again": 0})


async def test_a_letter_is_dropped_and_then_all_and_none_is_handled(
    node: RabbitMq, tmp_path: Path, reader: Reader
) -> None:
    file = address(node, tmp_path)
    first, second, third = await dead(node, file, 3)
    reader.mended = True
    code, told, _ = letters(file, "drop", "tenants", first, as_json=True)
    assert (code, json.loads(told)) == (0, {"service": "tenants", "dropped": 1})
    assert listed(file) == {second, third}
    code, told, _ = letters(file, "drop", "tenants", "--all", as_json=True)
    assert (code, json.loads(told)) == (0, {"service": "tenants", "dropped": 2})
    assert listed(file) == set()
    later = await publish(node, ConnectionRemoved.topic)  # comes after whatever was sent again
    await eventually(lambda: later in reader.handled)
    assert reader.handled == [later]


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize("words", [[], [str(uuid4()), "--all"]])
async def test_nothing_to_do_or_two_things_at_once_is_refused_and_touches_nothing(
    node: RabbitMq, tmp_path: Path, reader: Reader, command: str, words: list[str]
) -> None:
    file = address(node, tmp_path)
    (one,) = await dead(node, file, 1)
    ended = letters(file, command, "tenants", *words)
    assert ended == (REFUSED, "", "name the id of one letter, or --all\n")
    assert listed(file) == {one}
    assert letters(file, "drop", "tenants", one)[0] == 0


@pytest.mark.parametrize("command", ["show", "replay", "drop"])
def test_a_queue_that_is_not_there_is_named_with_those_that_are(
    node: RabbitMq, tmp_path: Path, command: str
) -> None:
    code, told, error = letters(address(node, tmp_path), command, "nobody", str(uuid4()))
    queues = "auth, backup, gateway, sync, tenants, unrouted"
    said = f"no queue of nobody: name one of {queues}\n"
    assert (code, told, error) == (REFUSED, "", said)
