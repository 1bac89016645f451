"""`bulkhead letters` as processes at a real broker: exit codes, one sentence for a refusal."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kit.messaging import Message
from kit.messaging.amqp import AmqpBroker
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


def letters(file: Path, *words: str) -> tuple[int, str, str]:
    """The command's exit code, its output and its error output."""
    command = [sys.executable, "-c", "from ops.cli import main; main()", "letters", *words]
    done = subprocess.run(
        [*command, "--broker", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


async def publish(node: RabbitMq, topic: str) -> str:
    relay = AmqpBroker(broker.url_of("relay", PASSWORDS["relay"], "127.0.0.1", node.port))
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
