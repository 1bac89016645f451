"""Starts that go wrong, and of a copied folder: nothing is left over, nobody else is hurt."""

import asyncio
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ops.local.layout import Layout
from ops.local.postgres import LocalPostgres, PostgresUnavailable
from ops.local.suite import SuiteFailed, running
from ops.programs import METRICS_OFFSET
from tests.ops.test_local_rabbitmq import processes_of
from tests.ports import PORTS


async def answer(server: LocalPostgres) -> int:
    connection = await asyncpg.connect(server.superuser_url, timeout=5)
    try:
        return int(await connection.fetchval("SELECT 7"))
    finally:
        await connection.close()


@pytest.fixture
def folder(scratch) -> Iterator[Path]:
    made: Path = scratch / "starts"  # short enough for sockets in it
    made.mkdir(mode=0o711)
    yield made
    shutil.rmtree(made)


async def test_a_copy_of_the_data_starts_beside_the_original_though_it_names_its_process(folder):
    original = LocalPostgres(folder / "one", PORTS.free())
    await original.start()
    original.stop()
    shutil.copytree(folder / "one", folder / "two", ignore=shutil.ignore_patterns("s"))
    await original.start()
    named = folder / "two" / "data" / "postmaster.pid"
    shutil.copy(folder / "one" / "data" / "postmaster.pid", named)
    copy = LocalPostgres(folder / "two", PORTS.free())
    await copy.start()
    try:
        assert copy.pid != original.pid
        assert (await answer(original), await answer(copy)) == (7, 7)
    finally:
        copy.stop()
        original.stop()


async def test_a_new_launcher_ends_the_server_that_a_killed_one_left(folder):
    left = LocalPostgres(folder / "one", PORTS.free())
    await left.start()
    successor = LocalPostgres(folder / "one", left.port)
    await successor.start()
    try:
        assert left.pid is None
        assert await answer(successor) == 7
    finally:
        successor.stop()


async def test_a_server_that_does_not_start_says_why_in_one_sentence(folder):
    server = LocalPostgres(folder / "one", PORTS.free(), extra="max_connections = many")
    with pytest.raises(PostgresUnavailable, match=r"postgresql\.conf") as refused:
        await server.start()
    assert str(folder / "one" / "postgres.log") in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_failed_start_leaves_no_broker_behind(folder):
    """PostgreSQL fails at once, while RabbitMQ is still on its way up: it is waited for."""
    layout = Layout(folder / "run", PORTS)
    (layout.servers / "pg").mkdir()
    (layout.servers / "pg" / "data").write_text("not a folder")
    with pytest.raises(SuiteFailed, match=r"PostgreSQL and RabbitMQ: .*File exists"):
        async with running(layout):
            pass
    state = layout.servers / "rabbitmq"
    assert (state / "server.out").exists()
    assert processes_of(state) == []


def test_ports_that_others_have_by_now_are_exchanged_and_the_rest_stays(tmp_path):
    ports = dict(Layout(tmp_path, PORTS).ports)
    with socket.socket() as edge, socket.socket() as metrics:
        edge.bind(("127.0.0.1", ports["edge"]))
        edge.listen()
        metrics.bind(("127.0.0.1", ports["auth"] + METRICS_OFFSET))
        metrics.listen()
        later = Layout(tmp_path, PORTS)
        later.settle_ports()
    changed = {name for name, port in later.ports.items() if port != ports[name]}
    assert changed == {"edge", "auth"}
    assert Layout(tmp_path, PORTS).ports == later.ports
    assert later.url == f"https://localhost:{later.ports['edge']}"


def test_a_folder_from_before_a_program_was_added_gets_a_port_for_it(tmp_path):
    ports = dict(Layout(tmp_path, PORTS).ports)
    del ports["relay"]
    (tmp_path / "ports.json").write_text(json.dumps(ports))
    later = Layout(tmp_path, PORTS)
    later.settle_ports()
    assert later.ports == ports | {"relay": later.ports["relay"]}


@pytest.mark.parametrize("content", ["", "{", "\x00"])
async def test_a_broken_file_of_ports_is_named(tmp_path, content):
    (tmp_path / "ports.json").write_text(content)
    with pytest.raises(ValueError, match=r"ports.json is not JSON"):
        async with running(Layout(tmp_path, PORTS)):
            await asyncio.sleep(0)
