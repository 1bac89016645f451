"""A tenant's share of the vault: one byte too many is refused, and the five newest stay."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from contracts.ids import BackupId, new_id
from services.backup.copy.room import VaultRoom
from services.backup.copy.take import Fulls, within
from services.backup.failures import FailureReason, RunFailed
from services.backup.vault.objects import Vault
from tests.eventually import eventually
from tests.services.backup.running_backup import Workshop, running_backup
from tests.services.backup.tenants_peer import TenantsPeer


def test_the_last_byte_fits_and_the_next_does_not(tmp_path: Path) -> None:
    sizes = iter([3, 6])
    room = VaultRoom(Vault.local(tmp_path), share=6, floor=1)

    def check(size: int) -> None:
        room.check(size, 0)

    assert list(within(check, iter([b"one", b"two"]), lambda: next(sizes))) == [b"one", b"two"]
    sizes = iter([3, 7])
    with pytest.raises(RunFailed) as failed:
        list(within(check, iter([b"one", b"four"]), lambda: next(sizes)))
    assert failed.value.reason is FailureReason.SHARE_FULL


async def test_what_is_there_counts_against_the_share(workshop: Workshop) -> None:
    tenant = await workshop.peer.add(100)
    workshop.keyring.ensure(tenant)
    first = await workshop.full(tenant)
    used = (await workshop.catalogue.stock(tenant)).size
    assert used == sum(one.stat().st_size for one in workshop.vault_dir.rglob("*.*"))
    parts = (workshop.catalogue, workshop.keyring, workshop.tenants, workshop.tools)
    size = first.manifest.size
    with pytest.raises(RunFailed) as failed:
        await Fulls(*parts, workshop.room(used + size // 2)).take(tenant, BackupId(new_id()))
    assert failed.value.reason is FailureReason.SHARE_FULL
    assert (await workshop.catalogue.stock(tenant)).size == used
    room = workshop.room(used + size + size // 2)
    await Fulls(*parts, room).take(tenant, BackupId(new_id()))


async def test_a_full_share_is_a_507_with_the_number_and_reading_goes_on(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant = await service_db("backup"), await peer.add(10)
    async with running_backup(url, peer, tmp_path, share_bytes=1_000) as backup:
        failed = await backup.backed_up(tenant, "failed")
        assert failed["reason"] == "the tenant's share of the vault is full"
    async with running_backup(url, peer, tmp_path) as backup:
        made = await backup.backed_up(tenant)

        async def measured() -> int:
            async with backup.db.read() as session:
                return int(await session.scalar(text("SELECT vault_bytes FROM tenant")))

        await eventually(measured)
        used = await measured()
    async with running_backup(url, peer, tmp_path, share_bytes=used) as backup:
        refused = await backup.post(tenant, "/backups")
        assert (refused.status_code, refused.json()["type"]) == (507, "/problems/vault-share-full")
        assert refused.json()["detail"] == f"{used} of {used} bytes are used"
        await backup.restored(tenant, made["id"])
    async with running_backup(url, peer, tmp_path, share_bytes=used + 1) as backup:
        assert (await backup.post(tenant, "/backups")).status_code == 202


async def test_no_verified_full_goes_to_make_room(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url, tenant = await service_db("backup"), await peer.add(10)
    async with running_backup(url, peer, tmp_path) as backup:
        made = [(await backup.backed_up(tenant))["id"] for _ in range(5)]
    used = sum(one.stat().st_size for one in (tmp_path / "vault").rglob("*.*"))
    async with running_backup(url, peer, tmp_path, share_bytes=used + 100) as backup:
        await backup.backed_up(tenant, "failed")
        listed = (await backup.get(tenant, "/backups"))["backups"]
        assert [one["id"] for one in listed if one["state"] == "verified"] == made[::-1]
