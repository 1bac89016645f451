"""A full vault or keyring disk: told in words, nothing half-made, and the largest stop first."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import BackupId, new_id
from services.backup.copy.take import Fulls
from services.backup.failures import FailureReason, RunFailed
from tests.eventually import eventually
from tests.mounts import fill, small_disk
from tests.services.backup.running_backup import Backup, Workshop, running_backup
from tests.services.backup.tenants_peer import TenantsPeer

KIB = 1 << 10
FLOOR = 4_096 * KIB
NEARLY_FULL = "the vault's disk is nearly full: the largest tenants' backups stop first"


async def _measured(backup: Backup, tenant: UUID) -> None:
    """What the tenant holds in the vault is written down after its run."""

    async def is_written() -> bool:
        sql = text("SELECT vault_bytes FROM tenant WHERE tenant = :tenant")
        async with backup.db.read() as session:
            return bool(await session.scalar(sql, {"tenant": tenant}))

    await eventually(is_written)


async def test_under_the_floor_the_largest_tenant_s_backups_stop_and_all_else_goes_on(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, vault = await service_db("backup"), tmp_path / "vault"
    large, small = await peer.add(20_000), await peer.add(10)
    with small_disk(vault, 16 * KIB):
        async with running_backup(url, peer, tmp_path, free_floor=FLOOR) as backup:
            first = await backup.backed_up(large)
            await backup.backed_up(small)
            await _measured(backup, large)
            await _measured(backup, small)
            filler = fill(vault, leave=FLOOR - 100 * KIB)
            refused = await backup.post(large, "/backups")
            assert (refused.status_code, refused.json()["type"]) == (
                507,
                "/problems/vault-nearly-full",
            )
            assert str(FLOOR) in refused.json()["detail"]
            await backup.backed_up(small)
            await backup.restored(large, first["id"])
            filler.unlink()
            await backup.backed_up(large)


async def test_a_run_that_was_queued_before_fails_with_words_of_its_own(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant = await service_db("backup"), await peer.add(10)
    with small_disk(tmp_path / "vault", 16 * KIB):
        async with running_backup(url, peer, tmp_path, free_floor=FLOOR) as backup:
            await backup.backed_up(tenant)
            await _measured(backup, tenant)
            await backup.keep_busy(tenant)
            queued = await backup.post(tenant, "/backups")
            assert queued.status_code == 202
            fill(tmp_path / "vault", leave=FLOOR // 2)
            async with backup.db.write() as session:
                await session.run(text("DELETE FROM turn"))
            failed = await backup.ended(tenant, queued.headers["location"], "failed")
    assert failed["reason"] == NEARLY_FULL


async def test_a_full_that_reaches_the_floor_while_it_is_written_stops_and_leaves_nothing(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(20_000)
    workshop.keyring.ensure(tenant)
    entry = await workshop.full(tenant)
    size = entry.manifest.size
    await workshop.catalogue.remove(tenant, entry.manifest.backup, entry)
    with small_disk(workshop.vault_dir, 8 * KIB):
        parts = (workshop.catalogue, workshop.keyring, workshop.tenants, workshop.tools)
        floor = 8_192 * KIB + KIB  # the empty disk is just under it
        fulls = Fulls(*parts, workshop.room(1 << 40, floor))
        with pytest.raises(RunFailed) as failed:
            await fulls.take(tenant, BackupId(new_id()), largest=size // 2)
        assert failed.value.reason is FailureReason.VAULT_LOW
        assert [path for path in workshop.vault_dir.rglob("*") if path.is_file()] == []
        await fulls.take(tenant, BackupId(new_id()), largest=size * 2)


async def test_a_full_keyring_disk_is_a_507_in_words_and_leaves_nothing_half_made(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant = await service_db("backup"), await peer.add(1)
    keyring = tmp_path / "keyring"
    with small_disk(keyring, 16):
        async with running_backup(url, peer, tmp_path, sweep_s=3_600) as backup:
            filler = fill(keyring)
            refused = await backup.post(tenant, "/backups")
            assert (refused.status_code, refused.json()["type"]) == (507, "/problems/disk-full")
            assert [path for path in keyring.iterdir() if path != filler] == []
            async with backup.db.read() as session:
                for table in ("tenant", "snapshot", "outbox"):
                    assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
            filler.unlink()
            await backup.backed_up(tenant)


async def test_a_full_vault_lets_everything_but_backups_go_on(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant, vault = await service_db("backup"), await peer.add(10), tmp_path / "vault"
    with small_disk(vault, 4 * KIB):
        async with running_backup(url, peer, tmp_path, free_floor=1) as backup:
            made = await backup.backed_up(tenant)
            before = sorted(path for path in vault.rglob("*") if path.is_file())
            filler = fill(vault)
            refused = await backup.post(tenant, "/backups")
            assert (refused.status_code, refused.json()["type"]) == (
                507,
                "/problems/vault-nearly-full",
            )
            assert (await backup.get(tenant, f"/backups/{made['id']}"))["state"] == "verified"
            await backup.restored(tenant, made["id"])
            left = sorted(path for path in vault.rglob("*") if path.is_file())
            assert left == sorted([*before, filler])
