"""The catalogue: what lies under another's name is nobody's backup, however well it is signed."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.ids import TenantId, new_id
from kit import clock
from kit.sealing import SigningKey
from services.backup.copy.verify import result_of
from services.backup.vault.catalogue import Catalogue, Entry
from services.backup.vault.manifest import ManifestRefused
from services.backup.vault.objects import ObjectExists, ObjectMissing, Vault
from tests.services.backup.hand_made import published

TENANT, OTHER = TenantId(new_id()), TenantId(new_id())
KEY = SigningKey.generate()


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(Vault.local(tmp_path / "vault"), KEY)


async def _move(catalogue: Catalogue, one: str, other: str) -> None:
    await catalogue.vault.replace(other, await catalogue.vault.read(one))


def _names(entry: Entry) -> tuple[str, str]:
    stem = f"{entry.manifest.tenant}/manifests/{entry.manifest.backup}"
    return f"{stem}.json", f"{stem}.verify.json"


async def test_a_signed_manifest_under_another_backups_name_is_refused(
    catalogue: Catalogue,
) -> None:
    one, other = await published(catalogue, TENANT), await published(catalogue, TENANT)
    await _move(catalogue, _names(one)[0], _names(other)[0])
    with pytest.raises(ManifestRefused, match="it belongs to another place"):
        await catalogue.entry(TENANT, other.manifest.backup)
    stock = await catalogue.stock(TENANT)
    assert [entry.manifest.backup for entry in stock.entries] == [one.manifest.backup]
    assert stock.refused == {other.manifest.backup}


async def test_a_signed_manifest_in_another_tenants_folder_is_refused(
    catalogue: Catalogue,
) -> None:
    """The same backup id and data of that tenant: nothing but the manifest's tenant differs."""
    one = await published(catalogue, TENANT, data=catalogue.new_data_name(OTHER))
    name = _names(one)[0].replace(str(TENANT), str(OTHER))
    await _move(catalogue, _names(one)[0], name)
    with pytest.raises(ManifestRefused, match="it belongs to another place"):
        await catalogue.entry(OTHER, one.manifest.backup)


async def test_a_signed_manifest_that_names_another_tenants_data_is_refused(
    catalogue: Catalogue,
) -> None:
    foreign = await published(catalogue, OTHER)
    thief = await published(catalogue, TENANT, data=foreign.manifest.object)
    with pytest.raises(ManifestRefused, match="data of another place"):
        await catalogue.entry(TENANT, thief.manifest.backup)


async def test_a_passed_check_under_another_backups_name_verifies_nothing(
    catalogue: Catalogue,
) -> None:
    one, other = await published(catalogue, TENANT), await published(catalogue, TENANT)
    await _move(catalogue, _names(one)[1], _names(other)[1])
    assert not (await catalogue.entry(TENANT, other.manifest.backup)).verified


async def test_a_passed_check_of_another_manifest_of_the_same_backup_verifies_nothing(
    catalogue: Catalogue,
) -> None:
    """An older manifest under the same name, brought back by somebody who writes to the vault."""
    one = await published(catalogue, TENANT)
    later = one.manifest.model_copy(update={"size": 7}).signed(KEY)
    await catalogue.vault.replace(_names(one)[0], later.encode())
    entry = await catalogue.entry(TENANT, one.manifest.backup)
    assert (entry.manifest.size, entry.verified) == (7, False)


async def test_a_check_that_did_not_pass_verifies_nothing(catalogue: Catalogue) -> None:
    one = await published(catalogue, TENANT)
    await catalogue.record(result_of(one, "archive", passed=False))
    assert not (await catalogue.entry(TENANT, one.manifest.backup)).verified


async def test_a_manifest_is_published_once(catalogue: Catalogue) -> None:
    one = await published(catalogue, TENANT)
    with pytest.raises(ObjectExists):
        await catalogue.publish(one.manifest)


async def test_an_enormous_manifest_is_refused_and_the_others_are_there(
    catalogue: Catalogue,
) -> None:
    one, other = await published(catalogue, TENANT), await published(catalogue, TENANT)
    await catalogue.vault.replace(_names(other)[0], b"x" * ((1 << 20) + 1))
    assert [entry.sha256 for entry in await catalogue.entries(TENANT)] == [one.sha256]
    await catalogue.vault.replace(_names(other)[1], b"x" * ((1 << 20) + 1))
    assert (await catalogue.stock(TENANT)).refused == {other.manifest.backup}


async def test_what_a_run_is_just_writing_is_not_collected_and_what_one_left_is(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    named = await published(catalogue, TENANT)
    for name, age_s in ((named.manifest.object, 9_000), (_data("a"), 3_601), (_data("b"), 3_599)):
        await catalogue.vault.replace(name, b"sealed")
        at = clock.now().timestamp() - age_s
        os.utime(tmp_path / "vault" / name, (at, at))
    stray = tmp_path / "vault" / f"{TENANT}/data/by hand.tbk"
    stray.write_bytes(b"somebody's")
    os.utime(stray, (0, 0))
    assert await catalogue.collect(TENANT, clock.now() - timedelta(hours=1)) == 1
    left = [one.name for one in await catalogue.vault.list(f"{TENANT}/data")]
    assert left == sorted([named.manifest.object, _data("b"), f"{TENANT}/data/by hand.tbk"])


async def test_a_backup_is_removed_manifest_first(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who dies in between leaves data without a manifest, never a manifest without data."""
    one = await published(catalogue, TENANT)
    gone, delete = list[str](), catalogue.vault.delete

    async def noted(name: str) -> None:
        gone.append(name)
        await delete(name)

    monkeypatch.setattr(catalogue.vault, "delete", noted)
    await catalogue.remove(TENANT, one.manifest.backup, one)
    assert gone == [*_names(one), one.manifest.object]
    with pytest.raises(ObjectMissing):
        await catalogue.entry(TENANT, one.manifest.backup)


async def test_entries_are_sorted_by_age_and_the_future_is_never_newest(
    catalogue: Catalogue,
) -> None:
    now = clock.now()
    ages = (timedelta(hours=-1), timedelta(days=365), timedelta(hours=-2))
    made = [await published(catalogue, TENANT, at=now + age) for age in ages]
    found = [entry.sha256 for entry in await catalogue.entries(TENANT)]
    assert found == [made[1].sha256, made[2].sha256, made[0].sha256]


def _data(letter: str) -> str:
    return f"{TENANT}/data/{letter * 32}.tbk"
