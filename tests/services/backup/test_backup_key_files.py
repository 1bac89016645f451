"""Tenant keys: each opens only its own tenant's backups, and a deleted one none for ever."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.ids import TenantId, new_id
from kit import base64url
from kit.sealing import Kek, SealBroken, canonical, new_key
from services.backup.vault.key_files import (
    KeyFiles,
    KeyMissing,
    KeyringBroken,
    KeyringMissing,
    KeyUnopened,
    TenantKey,
)

KEK = Kek(new_key())
A, B = TenantId(new_id()), TenantId(new_id())


@pytest.fixture
def keyring(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path, KEK)


def test_a_key_stays_the_same_however_often_it_is_ensured(keyring: KeyFiles) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keyring.ensure, [A] * 32))
    first = keyring.current(A)
    keyring.ensure(A)
    assert keyring.current(A) == first
    assert keyring.key(A, first.version) == first.key


def test_tenants_have_different_keys_and_no_file_shows_one(
    keyring: KeyFiles, tmp_path: Path
) -> None:
    keyring.ensure(A)
    keyring.ensure(B)
    assert keyring.current(A).key != keyring.current(B).key
    assert keyring.current(A).key.hex() not in repr(keyring.current(A))
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert keyring.current(A).key not in file.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_backup_never_makes_a_key_for_a_tenant_that_has_none(keyring: KeyFiles) -> None:
    with pytest.raises(KeyMissing):
        keyring.current(A)


def test_a_shredded_key_is_gone(keyring: KeyFiles) -> None:
    keyring.ensure(A)
    keyring.shred(A)
    keyring.shred(A)
    with pytest.raises(KeyMissing):
        keyring.key(A, 1)


def test_an_unknown_version_is_missing(keyring: KeyFiles) -> None:
    keyring.ensure(A)
    with pytest.raises(KeyMissing):
        keyring.key(A, 2)


def test_a_key_pasted_into_another_keyring_is_refused(keyring: KeyFiles, tmp_path: Path) -> None:
    keyring.ensure(A)
    keyring.ensure(B)
    pasted = (tmp_path / f"{A}.json").read_text()
    (tmp_path / f"{B}.json").write_text(pasted)
    with pytest.raises(KeyringBroken):
        keyring.current(B)
    (tmp_path / f"{B}.json").write_text(pasted.replace(str(A), str(B)))
    with pytest.raises(KeyUnopened):
        keyring.current(B)


def test_a_key_under_another_version_is_refused(keyring: KeyFiles, tmp_path: Path) -> None:
    keyring.ensure(A)
    document = json.loads((tmp_path / f"{A}.json").read_text())
    document["keys"] = {"2": document["keys"]["1"]}
    (tmp_path / f"{A}.json").write_text(json.dumps(document))
    with pytest.raises(KeyUnopened):
        keyring.current(A)


def test_another_kek_opens_nothing(keyring: KeyFiles, tmp_path: Path) -> None:
    keyring.ensure(A)
    with pytest.raises(KeyUnopened):
        KeyFiles(tmp_path, Kek(new_key())).current(A)


def test_one_altered_keyring_is_no_wrong_kek_and_none_that_opens_is(
    keyring: KeyFiles, tmp_path: Path
) -> None:
    keyring.check()
    keyring.ensure(A)
    keyring.ensure(B)
    (tmp_path / "by hand.json").write_text("{}")
    (tmp_path / f"{new_id()}.json").write_text("cut")
    keyring.check()
    stranger = KeyFiles(tmp_path, Kek(new_key()))
    with pytest.raises(SealBroken):
        stranger.check()
    (tmp_path / f"{min(A, B)}.json").unlink()
    stranger.ensure(min(A, B))
    keyring.check()


@pytest.mark.parametrize(
    "keys",
    [
        "{}",
        "[]",
        "null",
        '"1"',
        '{"1": 7}',
        '{"1": "*"}',
        '{"1": null}',
        '{"01": "AA"}',
        '{"-1": "AA"}',
        '{"x": "AA"}',
        '{"1": "AA", "1": "AA"}',
    ],
)
def test_a_keyring_that_is_no_keyring_is_told_as_such(
    keyring: KeyFiles, tmp_path: Path, keys: str
) -> None:
    (tmp_path / f"{A}.json").write_text(f'{{"v": 1, "tenant": "{A}", "keys": {keys}}}')
    with pytest.raises(KeyringBroken):
        keyring.current(A)


def test_a_lost_keyring_is_another_thing_than_a_lost_key(keyring: KeyFiles) -> None:
    with pytest.raises(KeyringMissing):
        keyring.current(A)
    keyring.ensure(A)
    with pytest.raises(KeyMissing) as missing:
        keyring.key(A, 2)
    assert not isinstance(missing.value, KeyringMissing)


def test_new_backups_use_the_newest_key(keyring: KeyFiles, tmp_path: Path) -> None:
    """Ten is newer than nine, though not as a text."""
    keyring.ensure(A)
    document = json.loads((tmp_path / f"{A}.json").read_text())
    for version in (9, 10):
        place = canonical({"p": "bulkhead-keyring", "t": str(A), "kv": version})
        document["keys"][str(version)] = base64url.encode(KEK.wrap(bytes([version] * 32), place))
    (tmp_path / f"{A}.json").write_text(json.dumps(document))
    assert keyring.current(A) == TenantKey(10, bytes([10] * 32))
