"""Stocktaking: the index says what the vault shows, and what others put there stops nobody."""

import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.ids import TenantId
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup, running_backup
from tests.services.backup.tenants_peer import TenantsPeer


@pytest.fixture
async def watchful(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> AsyncIterator[Backup]:
    url = await service_db("backup")
    async with running_backup(url, peer, tmp_path, stocktaking_s=0.1) as backup:
        yield backup


async def _becomes(backup: Backup, tenant: UUID, snapshot: str, state: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def has_become() -> bool:
        found.update(await backup.get(tenant, f"/backups/{snapshot}"))
        return bool(found["state"] == state)

    await eventually(has_become)
    return found


def _data(backup: Backup, tenant: UUID) -> Path:
    [file] = (backup.vault_dir / str(tenant) / "data").iterdir()
    return file


def _manifest(backup: Backup, tenant: UUID, made: dict[str, Any]) -> Path:
    return backup.vault_dir / f"{tenant}/manifests/{made['id']}.json"


async def _looked(backup: Backup, tenant: UUID) -> None:
    """Wait until stock has been taken since now: it sees what was put there just now."""
    seen = REGISTRY.get_sample_value("bulkhead_backup_strays") or 0
    (backup.vault_dir / str(tenant) / "seen").write_bytes(b"")
    await eventually(lambda: REGISTRY.get_sample_value("bulkhead_backup_strays") == seen + 1)


async def _covered(backup: Backup) -> bool:
    async with backup.db.read() as session:
        return await session.scalar(text("SELECT covered_until FROM tenant")) is not None


@pytest.mark.parametrize("part", ["manifest", "data"])
async def test_what_is_gone_is_missing_until_it_is_there_again(
    watchful: Backup, tmp_path: Path, part: str
) -> None:
    """A vault that is not mounted, a folder that was moved: nothing of it is lost for good."""
    tenant = await watchful.peer.add(1)
    made = await watchful.backed_up(tenant)
    file = _data(watchful, tenant) if part == "data" else _manifest(watchful, tenant, made)
    shutil.move(file, tmp_path / "away")
    missing = await _becomes(watchful, tenant, made["id"], "missing")
    assert missing["reason"] == "the stored backup is not in the vault"
    refused = await watchful.post(tenant, "/restores", {"backup": made["id"]})
    assert (refused.status_code, refused.json()["detail"]) == (409, "its state is missing")
    assert not await _covered(watchful)
    await eventually(lambda: REGISTRY.get_sample_value("bulkhead_backup_damaged") == 1)
    shutil.move(tmp_path / "away", file)
    found = await _becomes(watchful, tenant, made["id"], "verified")
    assert (found["reason"], found["at"]) == (None, made["at"])
    await eventually(lambda: REGISTRY.get_sample_value("bulkhead_backup_damaged") == 0)


async def test_data_of_another_size_is_broken_until_another_copy_has_been_read(
    watchful: Backup,
) -> None:
    tenant = await watchful.peer.add(1)
    made = await watchful.backed_up(tenant)
    file = _data(watchful, tenant)
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    broken = await _becomes(watchful, tenant, made["id"], "broken")
    assert broken["reason"] == "the stored backup is altered or cut"
    file.write_bytes(good)
    await _becomes(watchful, tenant, made["id"], "verified")


async def test_a_manifest_that_is_not_ours_is_refused_until_it_is_ours_again(
    watchful: Backup,
) -> None:
    tenant = await watchful.peer.add(1)
    made = await watchful.backed_up(tenant)
    file = _manifest(watchful, tenant, made)
    good, at = file.read_bytes(), file.stat().st_mtime
    file.write_bytes(good.replace(b'"zstd":2', b'"zstd":3'))
    broken = await _becomes(watchful, tenant, made["id"], "broken")
    assert broken["reason"] == "the manifest is altered or not ours"
    file.write_bytes(good)
    os.utime(file, (at, at))
    await _becomes(watchful, tenant, made["id"], "verified")


async def test_what_a_restore_found_altered_stays_broken_whatever_its_note_says(
    watchful: Backup,
) -> None:
    """Same size, old check: only the restore knows, and the index remembers."""
    tenant = await watchful.peer.add(1)
    made = await watchful.backed_up(tenant)
    file = _data(watchful, tenant)
    note = _manifest(watchful, tenant, made).with_suffix(".verify.json")
    good, passed = file.read_bytes(), note.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    failed = await watchful.restored(tenant, made["id"], "failed")
    assert failed["reason"] == "the stored backup is altered or cut"
    note.write_bytes(passed)
    await _looked(watchful, tenant)
    broken = await _becomes(watchful, tenant, made["id"], "broken")
    file.write_bytes(good)
    read_again = await _becomes(watchful, tenant, made["id"], "verified")
    assert (broken["proved"], read_again["proved"]) == ("archive", "archive")


async def test_an_index_older_than_its_vault_takes_up_what_is_there(watchful: Backup) -> None:
    """The control database was lost and brought back from yesterday."""
    tenant = await watchful.peer.add(7)
    made = await watchful.backed_up(tenant)
    async with watchful.db.write() as session:
        await session.run(text("DELETE FROM snapshot"))

    async def is_found() -> bool:
        listed = (await watchful.get(tenant, "/backups"))["backups"]
        return [(one["id"], one["cause"]) for one in listed] == [(made["id"], "found")]

    await eventually(is_found)
    found = await watchful.get(tenant, f"/backups/{made['id']}")
    assert {name: found[name] for name in ("state", "at", "size", "rows", "proved")} == {
        name: made[name] for name in ("state", "at", "size", "rows", "proved")
    }
    await watchful.restored(tenant, made["id"])


async def test_a_retention_that_died_between_mark_and_deletion_is_healed(
    watchful: Backup,
) -> None:
    """Five are there and one of them is marked: it is among the newest five, so it stays."""
    tenant = await watchful.peer.add(1)
    made = await watchful.backed_up(tenant)
    async with watchful.db.write() as session:
        await session.run(text("UPDATE snapshot SET state = 'expired'"))
    await _becomes(watchful, tenant, made["id"], "verified")


async def test_what_others_put_into_the_vault_is_told_once_and_stops_nothing(
    watchful: Backup, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = await watchful.peer.add(1)
    await watchful.backed_up(tenant)
    put = _litter(watchful.vault_dir / str(tenant))
    caplog.set_level(logging.WARNING)
    await eventually(lambda: REGISTRY.get_sample_value("bulkhead_backup_strays") == put)
    made = [await watchful.backed_up(tenant) for _ in range(6)]
    newest = [one["id"] for one in made[:0:-1]]

    async def has_five() -> bool:
        return [one["id"] for one in (await watchful.get(tenant, "/backups"))["backups"]] == newest

    await eventually(has_five)
    await watchful.restored(tenant, newest[0])
    assert REGISTRY.get_sample_value("bulkhead_backup_strays") == put
    told = [one for one in caplog.records if one.getMessage() == "files in the vault are not ours"]
    assert [one.__dict__["strays"] for one in told] == [put]
    assert (watchful.vault_dir / f"{tenant}/data/.DS_Store").exists()


def _litter(folder: Path) -> int:
    """What systems, editors and people leave behind; returns how many files."""
    inside = [folder / "manifests", folder / "data"]
    names = [b".DS_Store", b"note.json~", b"#note.json#", b"\xff\xfe.json", b"two\nlines", b"%zz"]
    for one in inside:
        for name in names:
            Path(os.fsdecode(os.path.join(bytes(one), name))).write_bytes(b"stray")
            os.utime(os.path.join(bytes(one), name), (0, 0))
        (one / "old").mkdir()
        (one / "old" / "copy.json").write_bytes(b"stray")
        (one / "loop").symlink_to(one)
        (one / "old" / "dead").symlink_to("/nowhere")
    (inside[0] / "{00000000-0000-7000-8000-000000000000}.json").write_bytes(b"stray")
    (inside[0] / "00000000000070008000000000000000.json").write_bytes(b"stray")
    return 2 * (len(names) + 2) + 2


async def test_a_tenant_whose_folder_cannot_be_read_stops_no_other(watchful: Backup) -> None:
    broken, other = await watchful.peer.add(1), await watchful.peer.add(1)
    made = await watchful.backed_up(other)
    await watchful.backed_up(broken)
    shutil.rmtree(watchful.vault_dir / str(broken))
    (watchful.vault_dir / str(broken)).symlink_to(watchful.vault_dir / str(broken))
    _manifest(watchful, other, made).unlink()
    await _becomes(watchful, other, made["id"], "missing")


async def test_a_vault_that_is_not_there_makes_nothing_missing(
    watchful: Backup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = await watchful.peer.add(1)
    made = await watchful.backed_up(tenant)
    caplog.set_level(logging.ERROR)
    watchful.vault_dir.rename(tmp_path / "elsewhere")
    await eventually(lambda: any(one.getMessage() == "item failed" for one in caplog.records))
    assert (await watchful.get(tenant, f"/backups/{made['id']}"))["state"] == "verified"


async def test_a_tenant_that_is_busy_is_left_alone(watchful: Backup) -> None:
    tenant, other = await watchful.peer.add(1), await watchful.peer.add(1)
    made = {one: await watchful.backed_up(one) for one in (tenant, other)}
    await watchful.keep_busy(tenant)
    for one in (tenant, other):
        _manifest(watchful, one, made[one]).unlink()
    await _becomes(watchful, other, made[other]["id"], "missing")
    assert (await watchful.get(tenant, f"/backups/{made[tenant]['id']}"))["state"] == "verified"


async def test_the_vaults_share_is_measured(watchful: Backup) -> None:
    tenant = TenantId(await watchful.peer.add(1))
    await watchful.backed_up(tenant)
    size = sum(one.stat().st_size for one in watchful.vault_dir.rglob("*") if one.is_file())

    async def is_measured() -> bool:
        async with watchful.db.read() as session:
            return bool(await session.scalar(text("SELECT vault_bytes FROM tenant")) == size)

    await eventually(is_measured)


async def test_what_a_restore_finds_altered_is_noted_in_the_vault(backup: Backup) -> None:
    """So that another index, and retention, know it too."""
    tenant = await backup.peer.add(1)
    made = await backup.backed_up(tenant)
    file = _data(backup, tenant)
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    failed = await backup.restored(tenant, made["id"], "failed")
    note = _manifest(backup, tenant, made).with_suffix(".verify.json")
    assert failed["reason"] == "the stored backup is altered or cut"
    assert b'"passed":false' in note.read_bytes()
