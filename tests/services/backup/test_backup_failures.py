"""Why something failed has words of its own: each tells the operator where to look."""

import dataclasses
import errno
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from obstore.store import LocalStore
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.causes import cause_of
from kit.db import Database
from kit.sealing import Kek, new_key
from services.backup.copy.pg_tools import PgTools
from services.backup.failures import LOST, FailureReason, RunFailed, reason_of
from services.backup.vault.key_files import (
    KeyFiles,
    KeyMissing,
    KeyringBroken,
    KeyringMissing,
    KeyUnopened,
)
from services.backup.vault.manifest import ManifestRefused
from services.backup.vault.objects import ObjectMissing, Vault, VaultDown, VaultFull, VaultReadOnly
from tests.mounts import mounted
from tests.services.backup.running_backup import Backup, Workshop, running_backup
from tests.services.backup.tenants_peer import TenantsPeer

WORDS: list[tuple[Exception, FailureReason]] = [
    (KeyringMissing(), FailureReason.KEYRING_MISSING),
    (KeyMissing(), FailureReason.KEY_MISSING),
    (KeyringBroken(), FailureReason.KEYRING_BROKEN),
    (KeyUnopened(), FailureReason.KEY_UNOPENED),
    (ManifestRefused(), FailureReason.REFUSED),
    (ObjectMissing(), FailureReason.GONE),
    (VaultFull(), FailureReason.VAULT_FULL),
    (VaultReadOnly(), FailureReason.VAULT_READ_ONLY),
    (VaultDown(), FailureReason.VAULT_FAILED),
    (ConnectionRefusedError(), FailureReason.DATABASE_DOWN),
    (OSError(errno.ENOSPC, ""), FailureReason.DISK_FULL),
    (OSError(errno.EDQUOT, ""), FailureReason.DISK_FULL),
    (OSError(errno.EROFS, ""), FailureReason.DISK_READ_ONLY),
    (OSError(errno.EACCES, ""), FailureReason.DISK_READ_ONLY),
    (OSError(errno.EIO, ""), FailureReason.UNEXPECTED),
]


@pytest.mark.parametrize(("error", "reason"), WORDS, ids=lambda one: getattr(one, "name", None))
def test_each_cause_has_its_own_words(error: Exception, reason: FailureReason) -> None:
    assert reason_of(error) is reason


def test_only_a_fault_of_the_backup_itself_counts_against_it() -> None:
    assert {
        FailureReason.BROKEN,
        FailureReason.DIFFERS,
        FailureReason.REFUSED,
        FailureReason.GONE,
    } == LOST


async def test_a_control_database_that_is_away_is_told_as_such() -> None:
    away = Database("postgresql://nobody:none@127.0.0.1:9/none")
    with pytest.raises((DBAPIError, OSError)) as failed:
        async with away.read() as session:
            await session.scalar(text("SELECT 1"))
    await away.close()
    assert reason_of(failed.value) is FailureReason.DATABASE_DOWN


async def test_a_key_under_another_kek_is_told_as_such_and_makes_no_backup_broken(
    backup: Backup, tmp_path: Path
) -> None:
    """The keyring of another installation was put in this one's place."""
    tenant = await backup.peer.add(1)
    made = await backup.backed_up(tenant)
    stranger = KeyFiles(tmp_path / "stranger", Kek(new_key()))
    stranger.ensure(tenant)
    keyring = backup.keyring_dir / f"{tenant}.json"
    right = keyring.read_bytes()
    keyring.write_bytes((tmp_path / "stranger" / keyring.name).read_bytes())
    words = "the tenant's key does not open: another KEK, or an altered keyring"
    assert (await backup.backed_up(tenant, "failed"))["reason"] == words
    assert (await backup.restored(tenant, made["id"], "failed"))["reason"] == words
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["state"] == "verified"
    keyring.write_bytes(right)
    await backup.restored(tenant, made["id"])


async def test_a_keyring_that_is_cut_is_told_as_such(backup: Backup) -> None:
    tenant = await backup.peer.add(1)
    made = await backup.backed_up(tenant)
    keyring = backup.keyring_dir / f"{tenant}.json"
    keyring.write_bytes(keyring.read_bytes()[:-20])
    words = "the tenant's keyring is cut or altered"
    assert (await backup.backed_up(tenant, "failed"))["reason"] == words
    assert (await backup.restored(tenant, made["id"], "failed"))["reason"] == words
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["state"] == "verified"


async def test_a_key_that_the_keyring_lacks_is_told_as_such(backup: Backup) -> None:
    """An older copy of the keyring was put back."""
    tenant = await backup.peer.add(1)
    made = await backup.backed_up(tenant)
    keyring = backup.keyring_dir / f"{tenant}.json"
    keyring.write_bytes(keyring.read_bytes().replace(b'{"1":', b'{"2":'))
    failed = await backup.restored(tenant, made["id"], "failed")
    assert failed["reason"] == "the tenant's keyring lacks the key of this backup"


async def test_a_database_disk_without_room_is_told_as_such(
    workshop: Workshop, tmp_path: Path
) -> None:
    """What pg_restore says when the server cannot extend a file."""
    reason = await _reason_of_tool(workshop, tmp_path, "No space left on device", "exit 1")
    assert reason is FailureReason.TARGET_FULL


async def test_a_tool_that_is_killed_says_nothing_about_the_backup(
    workshop: Workshop, tmp_path: Path
) -> None:
    assert await _reason_of_tool(workshop, tmp_path, "", "kill -9 $$") is FailureReason.KILLED


async def _reason_of_tool(workshop: Workshop, folder: Path, words: str, end: str) -> FailureReason:
    """The reason when verifying with a pg_restore that says and does this."""
    tenant = await workshop.peer.add(1)
    workshop.keyring.ensure(tenant)
    entry = await workshop.full(tenant)
    tools = folder / "bin"
    tools.mkdir()
    (tools / "pg_restore").write_text(f"#!/bin/sh\ncat > /dev/null\necho '{words}' >&2\n{end}\n")
    (tools / "pg_restore").chmod(0o755)
    verifier = dataclasses.replace(workshop.verifier, tools=PgTools(tools))
    with pytest.raises(RunFailed) as failed:
        await verifier.verify(entry)
    assert (await workshop.catalogue.entries(tenant))[0].verification is None
    return failed.value.reason


async def test_a_full_disk_is_told_as_such_and_leaves_no_object(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant = await service_db("backup"), await peer.add(20_000)
    with mounted(tmp_path / "vault", "-t", "tmpfs", "-o", "size=64k", "none"):
        async with running_backup(url, peer, tmp_path, free_floor=1) as backup:
            failed = await backup.backed_up(tenant, "failed")
            assert failed["reason"] == "the vault's disk is full"
            assert [path for path in backup.vault_dir.rglob("*") if path.is_file()] == []


async def test_a_read_only_vault_restores_and_tells_that_it_takes_no_backup(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant = await service_db("backup"), await peer.add(20)
    async with running_backup(url, peer, tmp_path) as backup:
        made = await backup.backed_up(tenant)
        vault = backup.vault_dir
    with mounted(vault, "--bind", str(vault)):
        subprocess.run(["mount", "-o", "remount,ro,bind", vault], check=True)
        async with running_backup(url, peer, tmp_path) as backup:
            await backup.restored(tenant, made["id"])
            proved = (await backup.get(tenant, f"/backups/{made['id']}"))["proved"]
            assert proved == "restored"
            failed = await backup.backed_up(tenant, "failed")
            assert failed["reason"] == "the vault is read-only or closed to the service"


@pytest.mark.parametrize(
    ("number", "kind", "cause"),
    [
        (errno.ENOSPC, VaultFull, "the disk is full"),
        (errno.EDQUOT, VaultFull, "the disk is full"),
        (errno.EROFS, VaultReadOnly, "the disk is read-only or closed to this program"),
        (errno.EACCES, VaultReadOnly, "the disk is read-only or closed to this program"),
    ],
)
async def test_what_the_system_says_is_told_whoever_asked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type, cause: str
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(kind) as refused:
        await Vault.local(tmp_path / "vault").create("t/one", b"1")
    assert cause_of(refused.value) == cause


async def test_the_number_in_the_stores_own_words_is_understood(tmp_path: Path) -> None:
    """The store tells of the system's errors in text only; here: a file where a folder must be."""
    vault = Vault(LocalStore(prefix=tmp_path))
    (tmp_path / "t").write_text("a file")
    with pytest.raises(VaultDown) as refused:
        await vault.create("t/one", b"1")
    assert isinstance(refused.value.__cause__, OSError)
    assert refused.value.__cause__.errno in (errno.ENOTDIR, errno.EEXIST)
