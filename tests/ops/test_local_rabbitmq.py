"""The private RabbitMQ node: on loopback only, survives a crash, and leaves nothing behind."""

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.broker import BULKHEAD
from kit.messaging import Message
from kit.messaging.amqp import AmqpBroker
from ops.local import rabbitmq_install
from ops.local.rabbitmq import RabbitMq
from ops.local.rabbitmq_install import RabbitMqUnavailable, ensure_installed
from tests.broker_crash import until_on_disk
from tests.eventually import eventually


@pytest.fixture(scope="module")
def state(scratch: Path) -> Path:
    return scratch / "rabbitmq-of-its-own"


@pytest.fixture(scope="module")
def node(state: Path) -> Iterator[RabbitMq]:
    ensure_installed()
    made = RabbitMq(state)
    made.start()
    yield made
    made.stop()


def processes_of(state: Path) -> list[int]:
    """Everything that runs with this state directory in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{state}\0".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_every_port_of_the_node_is_on_loopback(node: RabbitMq, state: Path) -> None:
    mine = {f"pid={pid}," for pid in processes_of(state)}
    listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in listing.splitlines() if any(pid in line for pid in mine)]
    addresses = {re.split(r"\s+", line)[3].rpartition(":")[0] for line in lines}
    assert len(lines) >= 3
    assert addresses <= {"127.0.0.1", "[::1]"}


def test_its_password_is_readable_by_its_owner_only(node: RabbitMq, state: Path) -> None:
    assert state.stat().st_mode & 0o077 == 0
    for name in ("node.json", "rabbitmq.conf"):
        assert (state / name).stat().st_mode & 0o077 == 0
    assert "guest" not in node.url


async def test_a_new_launcher_ends_what_a_killed_one_left_and_goes_on_with_its_data(
    node: RabbitMq, state: Path
) -> None:
    before = await AmqpBroker.connect(node.url, BULKHEAD)
    await before.publish(Message("kept", "test.nobody", b""))
    await before.close()
    await until_on_disk(node, [BULKHEAD.unrouted])
    successor = RabbitMq(state)
    await eventually(lambda: node.pid is None)
    await asyncio.to_thread(successor.start)
    try:
        after = await AmqpBroker.connect(successor.url, BULKHEAD)
        assert [message.id for message in await after.unrouted()] == ["kept"]
        await after.close()
    finally:
        await asyncio.to_thread(successor.stop)
    await eventually(lambda: processes_of(state) == [])


def test_where_it_cannot_be_installed_the_ways_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq_install, "DEBIAN_SCRIPT", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RabbitMqUnavailable, match=r"AMQP_URL.*docker compose"):
        ensure_installed()
