"""Sealed values open only unaltered, with their own key, in their own place."""

import json
from pathlib import Path
from typing import Any

import pytest

from kit import base64url
from kit.sealing import Kek, SealBroken, canonical, new_key, open_sealed, read_key, seal

VECTORS = Path(__file__).parents[1] / "vectors/wycheproof/xchacha20_poly1305_test.json"


def cases() -> list[tuple[dict[str, Any], bool]]:
    groups = json.loads(VECTORS.read_text())["testGroups"]
    return [
        (case, group["ivSize"] == 192)
        for group in groups
        for case in group["tests"]
    ]  # fmt: skip


def test_every_published_vector_opens_or_is_refused_as_it_should() -> None:
    """315 cases of the Wycheproof project for XChaCha20-Poly1305."""
    wrong = []
    for case, right_size in cases():
        part = {
            name: bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
        }
        sealed = b"\x01" + part["iv"] + part["ct"] + part["tag"]
        try:
            opened = open_sealed(part["key"], sealed, part["aad"]) == part["msg"]
        except SealBroken:
            opened = False
        if opened != (case["result"] == "valid" and right_size):
            wrong.append(case["tcId"])
    assert len(cases()) == 315
    assert wrong == []


def test_a_sealed_value_opens_again() -> None:
    key = new_key()
    assert open_sealed(key, seal(key, b"text", b"place"), b"place") == b"text"


def test_one_flipped_bit_anywhere_is_refused() -> None:
    key = new_key()
    sealed = seal(key, b"twenty bytes of text", b"place")
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            open_sealed(key, bytes(altered), b"place")


def test_every_truncation_is_refused() -> None:
    key = new_key()
    sealed = seal(key, b"text", b"place")
    for size in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_sealed(key, sealed[:size], b"place")


def test_another_key_or_place_does_not_open_it() -> None:
    key = new_key()
    sealed = seal(key, b"text", b"tenant-a")
    for other_key, place in ((new_key(), b"tenant-a"), (key, b"tenant-b")):
        with pytest.raises(SealBroken):
            open_sealed(other_key, sealed, place)


def test_two_seals_of_one_text_differ() -> None:
    key = new_key()
    assert seal(key, b"text", b"") != seal(key, b"text", b"")


def test_a_wrapped_key_opens_only_under_its_kek_and_for_its_tenant(tmp_path: Path) -> None:
    file = tmp_path / "kek"
    file.write_text(base64url.encode(new_key()) + "\n")
    kek, key = Kek.from_file(file), new_key()
    wrapped = kek.wrap(key, b"tenant-a")
    assert kek.unwrap(wrapped, b"tenant-a") == key
    with pytest.raises(SealBroken):
        kek.unwrap(wrapped, b"tenant-b")
    with pytest.raises(SealBroken):
        Kek(new_key()).unwrap(wrapped, b"tenant-a")


@pytest.mark.parametrize("text", ["", "short", "A" * 42, "A" * 44, "A" * 43 + "=", "é" * 43])
def test_a_malformed_key_file_is_named_but_not_quoted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kek"
    file.write_text(text)
    with pytest.raises(ValueError, match="kek: expected 32 bytes") as raised:
        read_key(file)
    assert not text or text not in str(raised.value)


def test_a_kek_does_not_show_its_key() -> None:
    assert repr(Kek(b"k" * 32)) == "Kek(...)"


def test_canonical_json_is_the_same_for_equal_values() -> None:
    assert canonical({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'.encode()
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})


def test_canonical_json_takes_no_floats() -> None:
    with pytest.raises(TypeError):
        canonical({"a": [{"b": 0.1}]})
