"""Taking a full: one moment, sealed before it touches a disk, and nothing where it fails."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from contracts.ids import BackupId, RestoreId, TenantId, new_id
from kit import clock
from kit.sealing import Kek, new_key
from services.backup.copy.pg_tools import PgTools
from services.backup.copy.read_back import stored_dump
from services.backup.failures import FailureReason, RunFailed
from services.backup.vault.archive import ArchiveBinding, seal_archive
from services.backup.vault.key_files import KeyFiles, KeyMissing
from tests.eventually import eventually
from tests.services.backup.running_backup import Workshop

_UNSEALED = (b"Findme", b"findme.example", b"CREATE TABLE", b"PGDMP")


async def test_the_manifest_and_the_dump_show_the_same_moment_under_writers(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(3_000)
    workshop.keyring.ensure(tenant)
    writing = asyncio.create_task(_write(workshop, tenant))
    try:
        entries = [await workshop.full(tenant) for _ in range(2)]
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    for entry in entries:
        target = await workshop.tenants.restore_target(tenant, RestoreId(new_id()))
        assert await workshop.restores.fill(tenant, entry.manifest.backup, target)
    assert len({entry.manifest.tables["public.record"] for entry in entries}) > 1


async def test_the_journal_is_left_out_and_the_manifest_says_what_is_there(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    manifest = (await workshop.full(tenant)).manifest
    assert "public.journal" not in manifest.tables
    assert manifest.tables["public.record"][0] == "10"
    assert manifest.pks["public.module_field"] == [("module", "text"), ("field", "text")]
    assert manifest.src == str(await workshop.peer.run(tenant, "SELECT chain FROM tenant_identity"))
    dump = b"".join(stored_dump(workshop.catalogue.vault, workshop.keyring, manifest))
    assert b"COPY public.record" in dump
    assert b"COPY public.journal" not in dump


async def test_a_full_reads_no_manifest_of_those_before(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """However many there are; and it names none, for nothing would compare it."""
    tenant = await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    before = await workshop.full(tenant)
    name = f"{tenant}/manifests/{before.manifest.backup}.json"
    await workshop.catalogue.vault.replace(name, b"{}")
    made = await workshop.full(tenant)
    assert "manifest refused" not in caplog.text
    assert made.manifest.prev_manifest_sha256 is None
    await workshop.catalogue.stock(tenant)
    assert "manifest refused" in caplog.text


async def test_nothing_readable_and_no_secret_ever_lies_about(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While pg_dump runs: not on disk, not in an argument, not in the environment."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    tenant = await workshop.peer.add(20_000)
    workshop.keyring.ensure(tenant)
    seen = 0
    async with _locked(workshop, tenant):
        taking = asyncio.create_task(workshop.full(tenant))
        await eventually(lambda: _running_tools())
        password = next(temporary.rglob("pgpass")).read_text().strip().split(":")[-1]
        for tool in _running_tools():
            assert password.encode() not in (tool / "cmdline").read_bytes()
            assert password.encode() not in (tool / "environ").read_bytes()
            seen += 1
        assert oct(next(temporary.rglob("pgpass")).stat().st_mode)[-3:] == "600"
    entry = await taking
    assert seen
    assert list(temporary.iterdir()) == []
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not any(words in path.read_bytes() for words in _UNSEALED), path
    await workshop.verifier.verify(entry)


async def test_a_failing_pg_dump_leaves_no_object(workshop: Workshop, tmp_path: Path) -> None:
    """It dies after it has written a lot: the stream must not look like a short, good one."""
    tenant = await workshop.peer.add(100)
    workshop.keyring.ensure(tenant)
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "pg_dump"
    tool.write_text("#!/bin/sh\n[ $1 = --version ] || { head -c 30000000 /dev/urandom; exit 1; }\n")
    tool.chmod(0o755)
    fulls = dataclasses.replace(workshop.fulls, tools=PgTools(folder))
    with pytest.raises(RunFailed) as failed:
        await fulls.take(tenant, BackupId(new_id()))
    assert failed.value.reason is FailureReason.DUMP_FAILED
    assert [path for path in workshop.vault_dir.rglob("*") if path.is_file()] == []
    assert workshop.peer.leases == {}


async def test_a_pg_dump_that_is_killed_leaves_no_object(workshop: Workshop) -> None:
    tenant = await workshop.peer.add(100)
    workshop.keyring.ensure(tenant)
    async with _locked(workshop, tenant):
        taking = asyncio.create_task(workshop.full(tenant))
        await eventually(lambda: _running_tools())
        for tool in _running_tools():
            os.kill(int(tool.name), signal.SIGKILL)
    with pytest.raises(RunFailed):
        await taking
    assert [path for path in workshop.vault_dir.rglob("*") if path.is_file()] == []


async def test_a_table_that_stays_locked_is_a_clear_failure(workshop: Workshop) -> None:
    tenant = await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    async with _locked(workshop, tenant):
        with pytest.raises(RunFailed) as failed:
            await workshop.full(tenant)
    assert failed.value.reason is FailureReason.LOCKED_OUT
    assert await workshop.catalogue.entries(tenant) == []
    assert workshop.peer.leases == {}


async def test_a_cancelled_full_stops_pg_dump_and_leaves_no_object(workshop: Workshop) -> None:
    tenant = await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    async with _locked(workshop, tenant):
        taking = asyncio.create_task(workshop.full(tenant))
        await eventually(lambda: _running_tools())
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert _running_tools() == []
    assert [path for path in workshop.vault_dir.rglob("*") if path.is_file()] == []
    assert workshop.peer.leases == {}


async def test_a_tenant_whose_key_is_lost_is_not_backed_up_under_a_new_one(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(10)
    with pytest.raises(KeyMissing):
        await workshop.full(tenant)


async def test_every_altered_stored_backup_fails_its_check_and_the_result_is_kept(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(200)
    workshop.keyring.ensure(tenant)
    entry = await workshop.verifier.verify(await workshop.full(tenant))
    file = workshop.vault_dir / entry.manifest.object
    good = file.read_bytes()
    cuts = [good[:at] for at in (0, 3, 100, len(good) // 2, len(good) - 1)]
    flips = [
        good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        for at in range(0, len(good), len(good) // 40)
    ]
    place, key = ArchiveBinding(tenant, entry.manifest.backup), workshop.keyring.current(tenant)
    dump = list(stored_dump(workshop.catalogue.vault, workshop.keyring, entry.manifest))
    another_attempt = b"".join(seal_archive(dump, place, key))
    for altered in [*cuts, *flips, good + b"\0", another_attempt]:
        file.write_bytes(altered)
        with pytest.raises(RunFailed) as failed:
            await workshop.verifier.verify(entry)
        assert failed.value.reason is FailureReason.BROKEN
    file.unlink()
    with pytest.raises(RunFailed):
        await workshop.verifier.verify(entry)
    assert not (await workshop.catalogue.entries(tenant))[0].verified
    file.write_bytes(good)
    await workshop.verifier.verify(entry)
    assert (await workshop.catalogue.entries(tenant))[0].verified


async def test_a_backup_does_not_open_with_another_key_or_after_shredding(
    workshop: Workshop, tmp_path: Path
) -> None:
    tenant, other = await workshop.peer.add(10), await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    workshop.keyring.ensure(other)
    entry = await workshop.full(tenant)
    stranger = KeyFiles(tmp_path / "stranger", Kek(new_key()))
    stranger.ensure(tenant)
    with pytest.raises(RunFailed) as failed:
        list(stored_dump(workshop.catalogue.vault, stranger, entry.manifest))
    assert failed.value.reason is FailureReason.BROKEN
    as_other = entry.manifest.model_copy(update={"tenant": other})
    with pytest.raises(RunFailed):
        list(stored_dump(workshop.catalogue.vault, workshop.keyring, as_other))
    workshop.keyring.shred(tenant)
    with pytest.raises(RunFailed) as failed:
        list(stored_dump(workshop.catalogue.vault, workshop.keyring, entry.manifest))
    assert failed.value.reason is FailureReason.KEYRING_MISSING


async def test_a_refused_manifest_is_not_listed_and_its_data_is_not_collected(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(10)
    workshop.keyring.ensure(tenant)
    entry = await workshop.full(tenant)
    manifest = workshop.vault_dir / f"{tenant}/manifests/{entry.manifest.backup}.json"
    good = manifest.read_bytes()
    manifest.write_bytes(good.replace(b'"zstd":2', b'"zstd":3'))
    assert await workshop.catalogue.entries(tenant) == []
    assert await workshop.catalogue.collect(tenant, _later()) == 0
    manifest.write_bytes(good)
    orphan = workshop.vault_dir / f"{tenant}/data/{'0' * 32}.tbk"
    orphan.write_bytes(b"left by a killed run")
    assert await workshop.catalogue.collect(tenant, _later()) == 1
    assert (workshop.vault_dir / entry.manifest.object).exists()


def _later() -> datetime:
    return clock.now() + timedelta(hours=1)


def _running_tools() -> list[Path]:
    """The /proc folders of the dumps that this process has started."""
    found = []
    for tool in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (tool / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(os.getpid()) and b"--format=custom" in (tool / "cmdline").read_bytes():
                found.append(tool)
    return found


@contextlib.asynccontextmanager
async def _locked(workshop: Workshop, tenant: TenantId) -> AsyncIterator[None]:
    """A migration holds the table: dumps and hashes wait."""
    connection = await workshop.peer.connect(tenant)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE record IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def _write(workshop: Workshop, tenant: TenantId) -> None:
    connection = await workshop.peer.connect(tenant)
    try:
        for number in range(1_000_000):
            await connection.execute(
                "UPDATE record SET version = version + 1 WHERE key = $1", f"p{1 + number % 3000}"
            )
    finally:
        connection.terminate()
