"""Restores onto another major version of PostgreSQL, and of backups that an older form wrote."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import TenantId
from kit import base64url
from kit.sealing import SigningKey
from services.backup.vault.manifest import Fingerprint, Manifest
from tenantdb import names, provision
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup, running_backup
from tests.services.backup.tenants_peer import Database, TenantsPeer

GOLDEN = Path(__file__).parent / "golden" / "first_form"


def _sign_again(
    folder: Path, made: dict[str, Any], server: str, change: Callable[[Fingerprint], Fingerprint]
) -> None:
    """As if another server had written it, with these numbers for the records."""
    file = next(folder.glob(f"vault/*/manifests/{made['id']}.json"))
    key = SigningKey(base64url.decode((folder / "manifest_key").read_text()))
    manifest = Manifest.decode(file.read_bytes(), key.public)
    tables = dict(manifest.tables)
    tables["public.record"] = change(tables["public.record"])
    update = {"server": server, "tables": tables}
    file.write_bytes(manifest.model_copy(update=update).signed(key).encode())


def _other_hashes(found: Fingerprint) -> Fingerprint:
    return found[0], "1", "2"


def _other_count(found: Fingerprint) -> Fingerprint:
    return str(int(found[0]) + 1), found[1], found[2]


def _same(found: Fingerprint) -> Fingerprint:
    return found


async def _server(backup: Backup, tenant: UUID) -> str:
    return str(await backup.peer.run(tenant, "SELECT current_setting('server_version')"))


async def test_hashes_of_another_major_version_are_not_compared_and_nothing_more_is_claimed(
    backup: Backup, tmp_path: Path
) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    _sign_again(tmp_path, made, "17.6", _other_hashes)
    await backup.restored(tenant, made["id"])
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["proved"] == "archive"
    note = next(tmp_path.glob(f"vault/*/manifests/{made['id']}.verify.json"))
    assert b'"level":"archive"' in note.read_bytes()


async def test_counts_are_compared_across_major_versions(backup: Backup, tmp_path: Path) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    _sign_again(tmp_path, made, "17.6", _other_count)
    failed = await backup.restored(tenant, made["id"], "failed")
    assert failed["reason"] == "the restored data differs from the manifest"


@pytest.mark.parametrize("change", [_other_hashes, _other_count])
async def test_within_a_major_version_hashes_and_counts_are_compared(
    backup: Backup, tmp_path: Path, change: Callable[[Fingerprint], Fingerprint]
) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    minor = (await _server(backup, tenant)).split(".")[0] + ".0"
    _sign_again(tmp_path, made, minor, change)
    failed = await backup.restored(tenant, made["id"], "failed")
    assert failed["reason"] == "the restored data differs from the manifest"
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["state"] == "broken"


async def test_another_minor_version_proves_as_much(backup: Backup, tmp_path: Path) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    minor = (await _server(backup, tenant)).split(".")[0] + ".0"
    _sign_again(tmp_path, made, minor, _same)
    await backup.restored(tenant, made["id"])
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["proved"] == "restored"


async def test_a_backup_that_the_first_form_wrote_is_found_and_restores(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    """Vault, keyring and keys of before; the index knows nothing of it."""
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    tenant = TenantId(UUID(next((tmp_path / "vault").iterdir()).name))
    name, password = names.database_name(), names.password()
    await provision.create(peer.cluster, name, tenant, names.verifier(password))
    peer.databases[tenant] = Database(name, password)
    url = await service_db("backup")
    timers = {"sweep_s": 0.1, "stocktaking_s": 0.1}
    async with running_backup(url, peer, tmp_path, **timers) as backup:
        listed: list[dict[str, Any]] = []

        async def is_found() -> bool:
            listed[:] = (await backup.get(tenant, "/backups"))["backups"]
            return [one["cause"] for one in listed if one["state"] == "verified"][-1:] == ["found"]

        await eventually(is_found)
        found = listed[-1]
        assert (found["rows"] > 40, found["proved"]) == (True, "restored")
        await backup.restored(tenant, found["id"])
        assert await peer.run(tenant, "SELECT count(*) FROM record") == 40
        note = next(tmp_path.glob(f"vault/*/manifests/{found['id']}.verify.json"))
        assert note.read_bytes() != _golden_note(found["id"]).read_bytes()


def _golden_note(snapshot: str) -> Path:
    return next(GOLDEN.glob(f"vault/*/manifests/{snapshot}.verify.json"))
