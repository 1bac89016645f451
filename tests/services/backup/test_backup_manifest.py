"""Manifests: only what we signed, unaltered, counts as a backup."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import BackupId, TenantId, new_id
from kit import clock
from kit.sealing import SigningKey, VerifyKey, canonical
from services.backup.vault.manifest import Manifest, ManifestRefused, Verification

KEY = SigningKey.generate()
OLDER = Path(__file__).parent / "golden" / "manifest_naming_another.json"
TENANT, BACKUP = TenantId(new_id()), BackupId(new_id())


def manifest() -> Manifest:
    return Manifest(
        tenant=TENANT,
        backup=BACKUP,
        object=f"{TENANT}/data/00.tbk",
        size=7,
        sha256="00",
        position="10:12:11",
        lsn="0/1",
        at=clock.now(),
        src=str(new_id()),
        server="18.6",
        schema_version="002_pre_journal.sql",
        dump="pg_dump 18.6 -Fc",
        zstd=2,
        key_version=1,
        tables={"public.record": ("3", "12", "-5")},
        seqs=[("public.journal_seq_seq", 9, True), ("public.unused_seq", None, False)],
        pks={"public.record": [("id", "uuid")]},
    )


def test_a_signed_manifest_reads_back() -> None:
    signed = manifest().signed(KEY)
    assert Manifest.decode(signed.encode(), KEY.public) == signed
    assert signed.rows == 3


def test_a_manifest_of_when_each_named_the_one_before_still_stands() -> None:
    key = VerifyKey.from_base64url("3hthcbncLGbeduOK7HznmQcTv3_Z5Fbi5pLq4M6KrUo")
    found = Manifest.decode(OLDER.read_bytes(), key)
    assert (found.prev_manifest_sha256, found.rows) == ("ab" * 32, 40)


def test_every_altered_member_is_refused() -> None:
    signed = json.loads(manifest().signed(KEY).encode())
    changes: dict[str, Any] = {
        "size": 8,
        "kind": "other",
        "tables": {},
        "seqs": [],
        "pks": {},
        "zstd": 3,
        "key_version": 2,
        "at": "2020-01-01T00:00:00Z",
        "tenant": str(new_id()),
        "backup": str(new_id()),
        "prev_manifest_sha256": "00",
        "v": 2,
    }
    for name in signed:
        altered = signed | {name: changes.get(name, "other")}
        with pytest.raises(ManifestRefused):
            Manifest.decode(canonical(altered), KEY.public)


def test_every_flipped_bit_is_refused() -> None:
    data = manifest().signed(KEY).encode()
    for at in range(len(data)):
        altered = bytearray(data)
        altered[at] ^= 1 << (at % 8)
        with pytest.raises(ManifestRefused):
            Manifest.decode(bytes(altered), KEY.public)


def test_a_manifest_of_another_signer_is_refused() -> None:
    with pytest.raises(ManifestRefused):
        Manifest.decode(manifest().signed(SigningKey.generate()).encode(), KEY.public)


def test_the_same_content_in_another_spelling_is_refused() -> None:
    data = manifest().signed(KEY).encode()
    with pytest.raises(ManifestRefused):
        Manifest.decode(json.dumps(json.loads(data)).encode(), KEY.public)


def test_a_signature_of_one_kind_does_not_fit_another() -> None:
    one = Verification(
        tenant=TENANT,
        backup=BACKUP,
        manifest_sha256="00",
        proof="archive",
        passed=False,
        at=clock.now(),
    ).signed(KEY)
    assert Verification.decode(one.encode(), KEY.public) == one
    with pytest.raises(ManifestRefused):
        Verification.decode(one.model_copy(update={"passed": True}).encode(), KEY.public)
    with pytest.raises(ManifestRefused):
        Manifest.decode(one.encode(), KEY.public)
