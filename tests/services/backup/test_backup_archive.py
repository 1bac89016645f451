"""The archive format: what was written comes back, and nothing else ever opens."""

import base64
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from contracts.ids import BackupId, TenantId, new_id
from kit import base64url
from kit.sealing import FrameWriter, Kek, SealBroken, new_key
from services.backup.vault.archive import ArchiveBinding, Tally, open_archive, seal_archive
from services.backup.vault.key_files import KeyFiles, TenantKey

ROOT = Path(__file__).parents[3]
PLACE = ArchiveBinding(TenantId(new_id()), BackupId(new_id()))
KEY = TenantKey(1, new_key())
DUMP = os.urandom(150_000) + b"plain text that packs well " * 20_000


def opened(sealed: bytes, place: ArchiveBinding = PLACE, key: TenantKey = KEY) -> bytes:
    return b"".join(open_archive(pieces(sealed), place, lambda _version: key.key))


def pieces(data: bytes, size: int = 70_000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return b"".join(seal_archive(pieces(DUMP), PLACE, KEY))


def test_a_dump_comes_back_and_shows_nothing_of_itself(sealed: bytes) -> None:
    assert opened(sealed) == DUMP
    assert b"plain text" not in sealed
    assert len(sealed) < len(DUMP) / 2


def test_every_sampled_cut_is_refused(sealed: bytes) -> None:
    for at in [*range(600), *range(600, len(sealed), 997), len(sealed) - 1]:
        with pytest.raises(SealBroken):
            opened(sealed[:at])


def test_every_sampled_flipped_bit_is_refused(sealed: bytes) -> None:
    for at in [*range(600), *range(600, len(sealed), 997), len(sealed) - 1]:
        altered = bytearray(sealed)
        altered[at] ^= 1 << (at % 8)
        with pytest.raises(SealBroken):
            opened(bytes(altered))


def test_data_after_the_end_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        opened(sealed + b"\0")


@pytest.mark.parametrize("apart", [True, False])
def test_data_behind_the_dump_is_refused_though_it_is_sealed_like_it(apart: bool) -> None:
    """The seals hold, and yet not all that was sealed is the dump; in a frame of its own or not."""
    data_key, packed = new_key(), zstandard.compress(DUMP)
    frame_bytes = len(packed) if apart else len(packed) + 1
    writer = FrameWriter(data_key, PLACE.header(KEY, data_key), frame_bytes=frame_bytes)
    stored = writer.push(packed + b"x") + writer.final()
    with pytest.raises(SealBroken):
        opened(stored)


@pytest.mark.parametrize(
    "place",
    [
        ArchiveBinding(TenantId(new_id()), PLACE.backup),
        ArchiveBinding(PLACE.tenant, BackupId(new_id())),
        ArchiveBinding(PLACE.tenant, PLACE.backup, "increment"),
    ],
)
def test_an_archive_of_another_place_is_refused(sealed: bytes, place: ArchiveBinding) -> None:
    with pytest.raises(SealBroken):
        opened(sealed, place)


def test_an_archive_does_not_open_with_another_tenants_key(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        opened(sealed, key=TenantKey(1, new_key()))


def test_the_header_of_one_archive_does_not_open_the_body_of_another(sealed: bytes) -> None:
    other = b"".join(seal_archive(pieces(DUMP), PLACE, KEY))
    body = 8 + int.from_bytes(sealed[4:8], "big")
    with pytest.raises(SealBroken):
        opened(other[:body] + sealed[body:])


def test_what_packs_well_is_unpacked_piece_by_piece() -> None:
    """A tenant must not be able to exhaust the service's memory with data that packs well."""
    zeros = (bytes(1 << 20) for _ in range(256))
    sealed = b"".join(seal_archive(zeros, PLACE, KEY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tally = Tally()
    assert max(len(piece) for piece in tally.over(open_archive(iter([sealed]), PLACE, key_of))) <= (
        1 << 20
    )
    assert tally.size == 1 << 28
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def key_of(_version: int) -> bytes:
    return KEY.key


def test_the_standalone_decoder_opens_what_the_service_wrote(tmp_path: Path) -> None:
    """Written from the format page alone: nobody is locked in."""
    kek = new_key()
    keyring = KeyFiles(tmp_path / "keyring", Kek(kek))
    keyring.ensure(PLACE.tenant)
    file = tmp_path / "one.tbk"
    file.write_bytes(b"".join(seal_archive(pieces(DUMP), PLACE, keyring.current(PLACE.tenant))))
    (tmp_path / "kek").write_text(base64url.encode(kek))
    assert decoded(file, tmp_path).stdout == DUMP
    file.write_bytes(file.read_bytes()[:-1])
    assert decoded(file, tmp_path).returncode != 0


def decoded(file: Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
    keyring = folder / "keyring" / f"{PLACE.tenant}.json"
    options = ["--kek", str(folder / "kek"), "--keyring", str(keyring)]
    script = str(ROOT / "docs/formats/decode_backup.py")
    return subprocess.run(
        [sys.executable, script, str(file), *options], capture_output=True, check=False
    )


def test_the_header_is_what_the_format_page_says(sealed: bytes) -> None:
    length = int.from_bytes(sealed[4:8], "big")
    header = json.loads(sealed[8 : 8 + length])
    assert sealed[:4] == b"TBK1"
    assert len(base64.urlsafe_b64decode(header.pop("dek") + "==")) == 1 + 24 + 32 + 16
    assert header == {
        "v": 1,
        "t": str(PLACE.tenant),
        "b": str(PLACE.backup),
        "k": "full",
        "kv": 1,
        "c": "secretstream-xchacha20poly1305",
        "z": "zstd",
    }
