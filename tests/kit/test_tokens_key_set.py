"""Key sets travel as JWKS; an unknown kid reloads them, but a flood of unknown kids does not."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from kit.sealing import SigningKey, VerifyKey
from kit.tokens import KeySet, Signer, UnknownKey, Verifier, from_jwks, key_id, key_set, to_jwks
from tests.eventually import eventually

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
IAT = int(NOW.timestamp())


class Source:
    """A key set that can change, fail and be slow, and counts who asks."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys, self.asked, self.down = keys, 0, False
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self) -> Mapping[str, VerifyKey]:
        self.asked += 1
        await self.answers.wait()
        if self.down:
            raise ConnectionError
        return from_jwks(json.dumps(to_jwks(key.public for key in self.keys)).encode())


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def token(key: SigningKey) -> str:
    claims: dict[str, JsonValue] = {"iss": "i", "aud": "a", "iat": IAT, "exp": IAT + 60}
    return Signer(key, key_id(key.public)).sign(claims)


def verifier(ring: KeySet) -> Verifier:
    return Verifier(ring, "i", "a", 60)


async def test_a_key_set_survives_its_journey() -> None:
    one, two = SigningKey.generate(), SigningKey.generate()
    keys = from_jwks(json.dumps(to_jwks([one.public, two.public])).encode())
    assert keys == {key_id(one.public): one.public, key_id(two.public): two.public}


GOOD_X = b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_a_good_entry_is_taken_so_that_the_next_ones_are_wrong_in_one_way() -> None:
    good = b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"' + GOOD_X + b'","kid":"1","alg":"EdDSA"}]}'
    assert list(from_jwks(good)) == ["1"]


def test_the_kid_is_the_thumbprint_of_rfc_8037() -> None:
    """The key and its thumbprint are those of RFC 8037, appendix A.3."""
    key = VerifyKey.from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert key_id(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b'{"keys":{}}',
        b'{"keys":[1]}',
        b'{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"1","alg":"HS256"}]}',
        b'{"keys":[{"kty":"OKP","crv":"X25519","x":"","kid":"1","alg":"EdDSA"}]}',
        b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"1","alg":"EdDSA"}]}',
        b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"' + GOOD_X + b'","kid":"1","alg":"ES256"}]}',
        b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"' + GOOD_X + b'","kid":1,"alg":"EdDSA"}]}',
        b'{"keys":[{"kty":"EC","crv":"Ed25519","x":"' + GOOD_X + b'","kid":"1","alg":"EdDSA"}]}',
    ],
)
def test_a_key_set_with_anything_else_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError):
        from_jwks(document)


async def test_a_new_key_is_found_by_its_first_token() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    source, clock = Source(old), Clock()
    ring = KeySet(source.fetch, clock=clock)
    assert await verifier(ring).verify_reloading(token(old), NOW)
    source.keys, clock.now = (old, new), 31.0
    assert await verifier(ring).verify_reloading(token(new), NOW)
    assert await verifier(ring).verify_reloading(token(old), NOW)
    assert source.asked == 2


async def test_a_removed_key_is_forgotten_with_the_next_reload() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    source = Source(old)
    ring = KeySet(source.fetch)
    await ring.fetch()
    source.keys = (new,)
    await ring.fetch()
    with pytest.raises(UnknownKey):
        await verifier(ring).verify_reloading(token(old), NOW)


async def test_a_flood_of_unknown_kids_costs_one_fetch_in_thirty_seconds() -> None:
    source, clock = Source(SigningKey.generate()), Clock()
    ring = KeySet(source.fetch, clock=clock)
    for second in range(60):
        clock.now = float(second)
        with pytest.raises(UnknownKey):
            await verifier(ring).verify_reloading(token(SigningKey.generate()), NOW)
    assert source.asked == 2


async def test_a_failed_fetch_keeps_the_old_keys() -> None:
    key = SigningKey.generate()
    source = Source(key)
    ring = KeySet(source.fetch)
    assert await ring.fetch()
    source.down = True
    assert not await ring.fetch()
    assert verifier(ring).verify(token(key), NOW)


async def test_all_who_come_first_at_once_share_one_fetch() -> None:
    key = SigningKey.generate()
    source = Source(key)
    source.answers.clear()
    checking = verifier(KeySet(source.fetch))
    first = [asyncio.create_task(checking.verify_reloading(token(key), NOW)) for _ in range(5)]
    await eventually(lambda: source.asked)
    source.answers.set()
    assert all(await asyncio.gather(*first))
    assert source.asked == 1


async def test_who_stops_waiting_takes_the_answer_from_nobody_else() -> None:
    key = SigningKey.generate()
    source = Source(key)
    source.answers.clear()
    checking = verifier(KeySet(source.fetch))
    first, second = (
        asyncio.create_task(checking.verify_reloading(token(key), NOW)) for _ in range(2)
    )
    await eventually(lambda: source.asked)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.answers.set()
    assert await second
    assert source.asked == 1


async def test_a_fetch_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "FETCH_WITHIN_S", 0.05)
    key = SigningKey.generate()
    source = Source(key)
    source.answers.clear()
    ring = KeySet(source.fetch)
    async with asyncio.timeout(5):
        assert not await ring.fetch()
    source.answers.set()
    assert await ring.fetch()


async def test_without_any_keys_they_are_asked_for_every_second() -> None:
    key = SigningKey.generate()
    source, clock = Source(key), Clock()
    source.down = True
    ring = KeySet(source.fetch, clock=clock)
    for _ in range(3):
        assert not await ring.reload()
    assert (source.asked, ring.is_loaded) == (1, False)
    source.down, clock.now = False, 1.0
    assert await verifier(ring).verify_reloading(token(key), NOW)
    assert (source.asked, ring.is_loaded) == (2, True)
