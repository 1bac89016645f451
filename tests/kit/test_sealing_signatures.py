"""Ed25519 signatures: exactly what RFC 8032 allows is accepted."""

import json
from pathlib import Path

import pytest

from kit.sealing import SigningKey, VerifyKey

VECTORS = Path(__file__).parents[1] / "vectors/wycheproof/ed25519_test.json"


def test_every_published_vector_is_judged_as_it_should() -> None:
    """151 cases of the Wycheproof project: malleable, truncated, non-canonical, zero keys."""
    wrong, count = [], 0
    for group in json.loads(VECTORS.read_text())["testGroups"]:
        key = VerifyKey(bytes.fromhex(group["publicKey"]["pk"]))
        for case in group["tests"]:
            count += 1
            accepted = key.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            if accepted != (case["result"] == "valid"):
                wrong.append(case["tcId"])
    assert count == 151
    assert wrong == []


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"text")
    assert key.public.verify(signature, b"text")
    assert not key.public.verify(signature, b"texT")
    assert not SigningKey.generate().public.verify(signature, b"text")


def test_a_signature_ends_where_its_message_begins() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"text")
    for moved in (1, 2, 4):
        assert not key.public.verify(signature + b"text"[:moved], b"text"[moved:])
    assert not key.public.verify(signature[:-1], signature[-1:] + b"text")


def test_keys_survive_their_files(tmp_path: Path) -> None:
    key = SigningKey.generate()
    file = tmp_path / "seed"
    file.write_text(key.seed_base64url() + "\n")
    assert SigningKey.from_file(file).public == key.public
    assert VerifyKey.from_base64url(key.public.to_base64url()) == key.public


def test_a_private_key_does_not_show_itself() -> None:
    key = SigningKey.generate()
    assert key.seed_base64url() not in repr(key)


def test_a_small_order_public_key_verifies_nothing() -> None:
    """With the neutral point as key, R = neutral and S = 0 would 'sign' every message."""
    neutral = b"\x01" + bytes(31)
    assert not VerifyKey(neutral).verify(neutral + bytes(32), b"anything")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_public_key_of_the_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        VerifyKey(bytes(size))
