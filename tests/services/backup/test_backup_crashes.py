"""kill -9 of the service in the middle of a run: nothing half-made counts, the next run heals."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import uvicorn
from sqlalchemy import text

from contracts.ids import TenantId
from kit import clock
from kit.db import Database
from services.backup.copy.pg_tools import PgTools
from services.backup.runs.full import FullRun
from services.backup.store import backups, tenants
from services.backup.store.backups import FULLS
from services.backup.store.turns import Turn, TurnLost
from services.backup.tables import backup as tables
from services.backup.vault.objects import Vault
from tests.eventually import eventually
from tests.services.backup.running_backup import Workshop, running_backup, settings_in
from tests.services.backup.tenants_peer import TenantsPeer

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("when", ["waiting for the dump", "in the middle of the data"])
async def test_a_killed_run_leaves_no_snapshot_and_the_next_one_heals(
    service_db: Callable[[str], Awaitable[str]],
    peer: TenantsPeer,
    free_port: Callable[[], int],
    tmp_path: Path,
    when: str,
) -> None:
    url = await service_db("backup")
    settings_in(tmp_path, url, peer.identity)
    tenant = await peer.add(100)
    tools = _endless_dump(tmp_path) if when == "in the middle of the data" else None
    db = Database(url)
    async with (
        _served(peer, free_port()) as url_of_peer,
        _child(tmp_path, url_of_peer, tools) as child,
    ):
        if when == "in the middle of the data":
            asked = await _ask(db, tenant)
            await eventually(lambda: _written(tmp_path / "vault") > 5_000_000, 60)
            child.kill()
        else:
            async with _locked(peer, tenant):
                asked = await _ask(db, tenant)
                await eventually(lambda: _is_running(db, asked), 60)
                child.kill()
        child.wait()
    vault = Vault.local(tmp_path / "vault")
    assert await vault.list(f"{tenant}/manifests") == []

    changes: dict[str, Any] = {"leftovers_after_s": 0.0}
    async with running_backup(url, peer, tmp_path, **changes) as backup:
        healed = await backup.ended(tenant, f"/t/{tenant}/v1/backups/{asked}", "verified")
        await eventually(lambda: _suffixes(tmp_path / "vault") == [".json", ".json", ".tbk"])
    assert healed["proved"] == "archive"
    await db.close()


async def test_a_run_that_died_after_its_manifest_is_taken_up_without_a_second_dump(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url = await service_db("backup")
    tenant = await peer.add(100)
    async with running_backup(url, peer, tmp_path) as backup:
        made = await backup.backed_up(tenant)
        before = await Vault.local(tmp_path / "vault").list(f"{tenant}/data")
    db = Database(url)
    await _execute(db, "UPDATE snapshot SET state = 'running', finished_at = NULL")
    async with running_backup(url, peer, tmp_path) as backup:
        await backup.ended(tenant, f"/t/{tenant}/v1/backups/{made['id']}", "verified")
    assert await Vault.local(tmp_path / "vault").list(f"{tenant}/data") == before
    await db.close()


async def test_a_run_that_keeps_dying_is_given_up(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url = await service_db("backup")
    tenant = await peer.add(10)
    db = Database(url)
    async with db.write() as session:
        await tenants.add(session, tenant)
        asked = (await backups.ask(session, tenant, "demand")).backup
    await _execute(db, "UPDATE snapshot SET state = 'running', attempts = 3")
    async with running_backup(url, peer, tmp_path) as backup:
        failed = await backup.ended(tenant, f"/t/{tenant}/v1/backups/{asked}", "failed")
        assert failed["reason"] == "interrupted"
        assert await backup.notices() == ["backup.backup.failed.v1"]
    await db.close()


async def test_a_backup_is_read_back_before_it_counts(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    """The dump was written well, and what reads it back says no."""
    tools, real = tmp_path / "bin", PgTools.find(None).directory
    tools.mkdir()
    (tools / "pg_dump").write_text(f'#!/bin/sh\nexec {real}/pg_dump "$@"\n')
    (tools / "pg_restore").write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    url, tenant = await service_db("backup"), await peer.add(10)
    async with running_backup(url, peer, tmp_path, pg_bin_dir=tools) as backup:
        failed = await backup.backed_up(tenant, "failed")
    assert failed["reason"] == "the stored backup is altered or cut"


def _endless_dump(folder: Path) -> Path:
    """A pg_dump that never ends by itself, so that its reader dies in the middle."""
    tools = folder / "bin"
    tools.mkdir()
    (tools / "pg_dump").write_text(
        "#!/bin/sh\nhead -c 20000000 /dev/urandom\n"
        "while head -c 100000 /dev/urandom; do sleep 0.1; done\n"
    )
    (tools / "pg_restore").write_text("#!/bin/sh\nexit 1\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return tools


def _written(vault: Path) -> int:
    return sum(path.stat().st_size for path in vault.rglob("*#*"))


def _suffixes(vault: Path) -> list[str]:
    return sorted(path.suffix for path in vault.rglob("*") if path.is_file())


async def _ask(db: Database, tenant: TenantId) -> UUID:
    async def known() -> bool:
        async with db.read() as session:
            return await tenants.is_known(session, tenant)

    await eventually(known, 60)
    async with db.write() as session:
        return UUID(str((await backups.ask(session, tenant, "demand")).backup))


async def _is_running(db: Database, snapshot: UUID) -> bool:
    async with db.read() as session:
        row = await session.first(tables.select().where(tables.c.backup == snapshot))
    return row is not None and row["state"] == "running"


async def _execute(db: Database, sql: str) -> None:
    async with db.write() as session:
        assert await session.run(text(sql)) == 1


@contextlib.asynccontextmanager
async def _child(
    folder: Path, tenants_url: str, tools: Path | None
) -> AsyncIterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.services.backup.child", str(folder), tenants_url]
    command += [str(tools)] if tools else []
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def _served(peer: TenantsPeer, port: int) -> AsyncIterator[str]:
    """The stand-in over HTTP, for a process of its own."""
    server = uvicorn.Server(uvicorn.Config(peer.app(), port=port, log_level="error", ws="none"))
    serving = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def _locked(peer: TenantsPeer, tenant: TenantId) -> AsyncIterator[None]:
    connection = await peer.connect(tenant)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE record IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def test_a_run_that_lost_its_turn_changes_nothing(
    service_db: Callable[[str], Awaitable[str]],
    open_db: Callable[[str], Database],
    workshop: Workshop,
) -> None:
    """It was paused for so long that another process took over: it must not have the last word."""
    db, tenant = open_db(await service_db("backup")), await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    now, soon = clock.now(), clock.now() + timedelta(minutes=1)
    async with db.write() as session:
        await tenants.add(session, tenant)
        asked = (await backups.ask(session, tenant, "demand")).backup
        job = await FULLS.claim(session, uuid4(), now, soon)
    assert job is not None
    run = FullRun(db, workshop.fulls, workshop.verifier, workshop.stocktake(db))
    with pytest.raises(TurnLost):
        await run.run(job, Turn(db, tenant, uuid4()))
    assert await _is_running(db, asked)
    assert await workshop.catalogue.entries(tenant) == []
