"""Passwords, one-time secrets and keys: taken as they are, equal work for all, and nothing more."""

import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.credentials import ACCESS_LIFETIME_S
from kit.sealing import SealBroken, SigningKey, open_sealed
from kit.tokens import Verifier, from_jwks, key_id
from services.auth import secret_text
from services.auth.access_tokens import AccessTokens
from services.auth.passwords import COST_KIB, LARGEST_BYTES, Passwords, weakness
from tests.services.auth.running_auth import PASSWORD, Auth, running_auth

WRONG = "wrong tractor under nine moons"


async def test_a_password_is_taken_exactly_as_it_was_sent(auth: Auth) -> None:
    tenant, password = uuid4(), "  violet tractor under nine moons \n"
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "ada@a.example")
    assert (await auth.accept(invitation, password, tenant)).status_code == 200
    for other in (password.strip(), password[1:], password[:-1]):
        assert (await auth.login("ada@a.example", other, tenant)).status_code == 401
    assert (await auth.login("ada@a.example", password, tenant)).status_code == 200


def test_a_password_has_15_characters_and_at_most_1024_bytes() -> None:
    signs = "violet tractor!"
    assert len(signs) == 15
    assert weakness(signs, email="a@b.example") is None
    assert weakness(signs[:-1], email="a@b.example")
    longest = signs + "é" * ((LARGEST_BYTES - len(signs)) // 2) + "x"
    assert len(longest.encode()) == LARGEST_BYTES
    assert weakness(longest, email="a@b.example") is None
    assert weakness(longest + "x", email="a@b.example")


async def test_whoever_is_guessed_the_work_is_the_same(service_db: Any, tmp_path: Path) -> None:
    """CPU time, best of three: known, unknown, not joined, unknown tenant, operator."""
    passwords = Passwords(cores=1, cost_kib=COST_KIB)
    async with running_auth(await service_db("auth"), tmp_path, passwords) as auth:
        tenant = await auth.tenant("ada@a.example")
        admin = await auth.access("ada@a.example", tenant)
        body = {"email": "invited@a.example", "level": 61}
        await auth.post(f"/t/{tenant}/v1/users/invitations", body, admin)
        known = await work(auth, "ada@a.example", tenant)
        for email, where in (
            ("nobody@a.example", tenant),
            ("invited@a.example", tenant),
            ("ada@a.example", uuid4()),
            ("nobody@platform.example", None),
        ):
            assert 1 / 2.5 < await work(auth, email, where) / known < 2.5


async def work(auth: Auth, email: str, tenant: UUID | None) -> float:
    spent = []
    for _ in range(3):
        begun = time.process_time()
        assert (await auth.login(email, WRONG, tenant)).status_code == 401
        spent.append(time.process_time() - begun)
    return min(spent)


def test_a_secret_opens_only_what_was_sealed_under_it() -> None:
    one, two, successor = (secret_text.fresh() for _ in range(3))
    assert len({one, two, successor}) == 3
    assert all(len(text) == 43 for text in (one, two)), "256 bits"
    sealed = secret_text.seal_under(one, successor)
    assert secret_text.open_under(one, sealed) == successor
    with pytest.raises(SealBroken):
        secret_text.open_under(two, sealed)
    with pytest.raises(SealBroken):  # who has the row has its hash, and still opens nothing
        open_sealed(secret_text._key(two), sealed, secret_text.hashed(one))


async def test_the_next_and_the_last_key_are_published_beside_the_signing_one() -> None:
    key, last, following = (SigningKey.generate() for _ in range(3))
    tokens = AccessTokens(key, "https://bulkhead", [following.public, last.public])
    published = {one["kid"] for one in tokens.key_set()["keys"]}
    assert published == {key_id(one.public) for one in (key, last, following)}
    assert set(await tokens.keys()) == published


async def test_an_access_token_lives_for_five_minutes(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    answer = (await auth.login("ada@a.example", PASSWORD, tenant)).json()
    keys = from_jwks((await auth.get("/.well-known/jwks.json")).content)
    verifier = Verifier(keys, "https://bulkhead", "bulkhead", ACCESS_LIFETIME_S)
    claims = verifier.verify(answer["access_token"], auth.clock())
    exp, iat = claims["exp"], claims["iat"]
    assert isinstance(exp, int)
    assert isinstance(iat, int)
    assert exp - iat == answer["expires_in"] == 300
