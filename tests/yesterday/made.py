"""An installation of an earlier commit in one small file: what `make run` had left in its folder,
the databases as one SQL text. Every key and password in it was made for it and opens nothing else.
"""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from ops.local.layout import Layout
from ops.local.postgres import LocalPostgres, binaries
from ops.local.rabbitmq import RabbitMq

ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.xz"))
_KEPT = ("secrets", "state", "simulator", "credentials.json")
"""Of the launcher's folder. Certificates end and ports are chosen: each start makes them anew."""
_FORGOTTEN = {"requests.jsonl"}
_DATABASES, _BROKER, _CLUSTER = "databases.sql", "definitions.json", "cluster.json"
_SUPERUSER = "CREATE ROLE postgres;\n"
_FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off"


@dataclass(frozen=True)
class _Cluster:
    """What a dump leaves out: databases that nobody may open, and how far transactions had come."""

    closed: Sequence[str]
    next_transaction: int


async def keep(layout: Layout, archive: Path) -> None:
    """Write the ended installation in `layout` into one file."""
    async with _postgres(layout) as server:
        cluster = await _look_at(server)
        databases = await asyncio.to_thread(_dump, server)
    broker = layout.servers / "rabbitmq" / "definitions.json"
    texts = {
        _DATABASES: databases.replace(_SUPERUSER, ""),
        _BROKER: broker.read_text(),
        _CLUSTER: json.dumps(vars(cluster), indent=1),
    }
    with tarfile.open(archive, "w:xz", preset=9) as file:
        for name in _KEPT:
            file.add(layout.root / name, f"run/{name}", filter=_worth_keeping)
        for name, text in texts.items():
            head = tarfile.TarInfo(name)
            head.size, head.mode = len(text.encode()), 0o600
            file.addfile(head, io.BytesIO(text.encode()))


async def lay(archive: Path, layout: Layout) -> None:
    """Make `layout` what it was when the earlier commit's launcher had ended."""
    layout.root.mkdir(mode=0o711)
    with tarfile.open(archive) as file:
        texts = {name: _text_in(file, name) for name in (_DATABASES, _BROKER, _CLUSTER)}
        kept = [one for one in file.getmembers() if one.name.startswith("run/")]
        for member in kept:
            member.name = member.name.removeprefix("run/")
        file.extractall(layout.root, kept, filter="data")
    async with _postgres(layout) as server:
        await asyncio.to_thread(_load, server, texts[_DATABASES])
        await _restore_cluster(server, _Cluster(**json.loads(texts[_CLUSTER])))
    await asyncio.to_thread(_lay_broker, layout, texts[_BROKER])


@contextlib.asynccontextmanager
async def _postgres(layout: Layout) -> AsyncIterator[LocalPostgres]:
    """The layout's server, running for as long as the block lasts."""
    server = LocalPostgres(layout.servers / "pg", layout.ports["postgres"], extra=_FAST)
    try:
        await server.start()
        yield server
    finally:
        await asyncio.to_thread(server.stop, 60.0)


async def _look_at(server: LocalPostgres) -> _Cluster:
    """Closed databases are opened: pg_dumpall leaves out what it may not open."""
    connection = await asyncpg.connect(server.superuser_url)
    try:
        found = await connection.fetch(
            "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'"
        )
        closed = [row["datname"] for row in found]
        for name in closed:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        return _Cluster(closed, await _transaction(connection))
    finally:
        await connection.close()


async def _restore_cluster(server: LocalPostgres, wanted: _Cluster) -> None:
    """Positions in journals name transactions: those of this server go on behind them."""
    connection = await asyncpg.connect(server.superuser_url)
    try:
        while await _transaction(connection) <= wanted.next_transaction:
            pass  # each look takes one
        for name in wanted.closed:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    finally:
        await connection.close()


async def _transaction(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    return int(await connection.fetchval("SELECT pg_current_xact_id()::text"))


def _dump(server: LocalPostgres) -> str:
    return _run("pg_dumpall", f"--dbname={server.superuser_url}")


def _load(server: LocalPostgres, text: str) -> None:
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    _run("psql", *options, f"--dbname={server.superuser_url}", given=text)


def _run(program: str, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [str(binaries() / program), *arguments],
        input=given,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{program}: {done.stderr[-1000:]}")
    return done.stdout


def _lay_broker(layout: Layout, definitions: str) -> None:
    """A node with the queues of that day; the launcher's own definitions come on top of it."""
    node = RabbitMq(layout.servers / "rabbitmq", layout.free_ports, lambda _own: definitions)
    try:
        node.start()
    finally:
        node.stop()


def _worth_keeping(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return None if Path(member.name).name in _FORGOTTEN else member


def _text_in(file: tarfile.TarFile, name: str) -> str:
    found = file.extractfile(name)
    assert found is not None
    return found.read().decode()
