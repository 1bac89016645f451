"""Access tokens: a key set that is missing is an outage, never the caller's fault."""

import asyncio
from collections.abc import Mapping
from uuid import uuid4

import pytest

from contracts.access import Grants, Scope
from contracts.credentials import ACCESS_AUDIENCE, AccessVerifier, Actor, claims_of
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import PERMISSIONS
from kit import clock
from kit.problems import DependencyDown, NotAuthenticated
from kit.sealing import SigningKey, VerifyKey
from kit.tokens import KeySet, Signer, key_id

ISSUER = "https://bulkhead"
GRANTS = Grants(PERMISSIONS, {"organisation.view": Scope.ALL})
ACTOR = Actor("tenant", UserId(uuid4()), TenantId(uuid4()), SessionId(uuid4()), 25, GRANTS)


class PublishedKeys:
    """What auth publishes, as long as it is there."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys, self.down, self.asked = keys, False, 0

    async def fetch(self) -> Mapping[str, VerifyKey]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionError
        return {key_id(key.public): key.public for key in self.keys}


def token(key: SigningKey) -> str:
    now = int(clock.now().timestamp())
    registered = {"iss": ISSUER, "aud": ACCESS_AUDIENCE, "iat": now, "exp": now + 300}
    return Signer(key, key_id(key.public)).sign(claims_of(ACTOR, 1) | registered)


def verifier(published: PublishedKeys) -> AccessVerifier:
    return AccessVerifier(KeySet(published.fetch), ISSUER)


async def test_the_first_requests_at_once_are_all_let_in() -> None:
    key = SigningKey.generate()
    published = PublishedKeys(key)
    access = verifier(published)
    actors = await asyncio.gather(*(access.actor(token(key)) for _ in range(5)))
    assert [actor.user for actor in actors] == [ACTOR.user] * 5
    assert published.asked == 1


async def test_while_no_key_set_was_ever_seen_the_dependency_is_down() -> None:
    published = PublishedKeys(SigningKey.generate())
    published.down = True
    access = verifier(published)
    for _ in range(2):
        with pytest.raises(DependencyDown):
            await access.actor(token(published.keys[0]))
    with pytest.raises(DependencyDown):
        await access.check()
    with pytest.raises(NotAuthenticated):
        await access.actor("not a token, whatever the keys are")
    published.down = False
    await access.check()
    assert (await access.actor(token(published.keys[0]))).user == ACTOR.user


async def test_an_outage_later_lets_in_whom_the_last_key_set_knows_and_nobody_else() -> None:
    published = PublishedKeys(SigningKey.generate())
    access = verifier(published)
    await access.refresh()
    published.down = True
    await access.refresh()
    await access.check()
    assert (await access.actor(token(published.keys[0]))).user == ACTOR.user
    with pytest.raises(NotAuthenticated):
        await access.actor(token(SigningKey.generate()))


async def test_a_key_that_is_taken_out_is_refused_after_the_next_refresh() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    published = PublishedKeys(old, new)
    access = verifier(published)
    assert (await access.actor(token(old))).user == ACTOR.user
    published.keys = (new,)
    await access.refresh()
    with pytest.raises(NotAuthenticated):
        await access.actor(token(old))
    assert (await access.actor(token(new))).user == ACTOR.user
