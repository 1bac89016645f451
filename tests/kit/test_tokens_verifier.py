"""One form of token is accepted; a table of hostile ones is refused, each for its own reason."""

from datetime import timedelta

import pytest

from kit.tokens import Signer, TokenRefused, UnknownKey, Verifier
from tests.kit.hostile_tokens import CLAIMS, HEADER, HOSTILE, KEY, KID, NOW, OTHER, header, token

VERIFIER = Verifier({KID: KEY.public}, "https://bulkhead", "bulkhead", 300)


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [(hostile, reason) for _, hostile, reason in HOSTILE],
    ids=[name for name, _, _ in HOSTILE],
)
def test_a_hostile_token_is_refused(hostile: str, reason: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        VERIFIER.verify(hostile, NOW)
    assert refused.value.reason == reason


def test_a_true_token_gives_its_claims() -> None:
    assert VERIFIER.verify(Signer(KEY, KID).sign(CLAIMS), NOW) == CLAIMS
    assert VERIFIER.verify(token(), NOW) == CLAIMS


def test_one_flipped_bit_anywhere_is_refused() -> None:
    good = token().encode()
    for bit in range(len(good) * 8):
        altered = bytearray(good)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TokenRefused):
            VERIFIER.verify(bytes(altered).decode("latin-1"), NOW)


@pytest.mark.parametrize("seconds", [-5, 0, 299, 304])
def test_clocks_may_differ_by_five_seconds(seconds: int) -> None:
    assert VERIFIER.verify(token(), NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-6, 305, 100_000])
def test_clocks_may_not_differ_by_more(seconds: int) -> None:
    with pytest.raises(TokenRefused):
        VERIFIER.verify(token(), NOW + timedelta(seconds=seconds))


def test_the_key_of_one_kid_does_not_sign_for_another() -> None:
    verifier = Verifier({KID: KEY.public, "2": OTHER.public}, "https://bulkhead", "bulkhead", 300)
    with pytest.raises(TokenRefused, match="bad-signature"):
        verifier.verify(token(HEADER | {"kid": "2"}), NOW)


def test_an_unknown_key_has_its_own_error() -> None:
    with pytest.raises(UnknownKey):
        VERIFIER.verify(header(kid="2"), NOW)
