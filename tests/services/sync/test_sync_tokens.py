"""Tokens: asked for once, renewed shortly before their end, never shared between secrets."""

import asyncio
from dataclasses import replace

import pytest

from contracts.ids import ConnectionId, new_id
from services.sync.credential import Credentials, Offered
from services.sync.crm.dataverse import Tokens
from services.sync.crm.dataverse.operations import Operation
from services.sync.egress import Reply
from tests.services.sync.answering import CONNECTION

USUAL = Offered.secret("secret")


class Authority:
    """Numbers the tokens that it gives out, each for `lifetime_s`; its clock is moved by hand."""

    def __init__(self, lifetime_s: int = 3599) -> None:
        self.now, self.lifetime_s, self.asked = 0.0, lifetime_s, 0
        self.tokens = Tokens(lambda: self.now)

    async def send(self, _operation: Operation, _path: str, _body: bytes) -> Reply:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(0)
        body = f'{{"access_token":"t{number}","expires_in":{self.lifetime_s}}}'
        return Reply(200, {}, body.encode())

    async def token(self, credentials: Credentials = USUAL) -> str:
        return await self.tokens.token(CONNECTION, credentials, self.send)


async def test_many_who_need_a_token_ask_once() -> None:
    authority = Authority()
    found = await asyncio.gather(*(authority.token() for _ in range(10)))
    assert set(found) == {"t1"}
    assert authority.asked == 1


@pytest.mark.parametrize(("lifetime_s", "held_s"), [(3599, 3599 - 120), (10, 8)])
async def test_a_token_is_renewed_two_minutes_before_its_end_or_at_four_fifths(
    lifetime_s: int, held_s: int
) -> None:
    authority = Authority(lifetime_s)
    await authority.token()
    authority.now = held_s - 0.1
    assert await authority.token() == "t1"
    authority.now = float(held_s)
    assert await authority.token() == "t2"


async def test_the_life_of_a_token_counts_from_the_question() -> None:
    """The answer may have taken long: what the authority counts begins before we hear of it."""
    authority = Authority(100)
    send = authority.send

    async def slow(operation: Operation, path: str, body: bytes) -> Reply:
        authority.now += 50
        return await send(operation, path, body)

    await authority.tokens.token(CONNECTION, USUAL, slow)
    authority.now = 80.0
    assert await authority.token() == "t2"


async def test_a_new_secret_never_meets_an_old_token() -> None:
    authority = Authority()
    old, new = Offered.secret("old"), Offered.secret("new")
    assert await authority.token(old) == "t1"
    assert await authority.token(new) == "t2"
    assert await authority.token(old) == "t3"


async def test_only_the_refused_token_is_forgotten() -> None:
    authority = Authority()
    assert await authority.token() == "t1"
    authority.tokens.forget(CONNECTION.id, "t0")
    authority.tokens.forget(ConnectionId(new_id()), "t1")
    assert await authority.token() == "t1"
    authority.tokens.forget(CONNECTION.id, "t1")
    assert await authority.token() == "t2"


async def test_tokens_that_have_ended_are_not_kept() -> None:
    authority = Authority()
    for _ in range(20):
        one = replace(CONNECTION, id=ConnectionId(new_id()))
        await authority.tokens.token(one, USUAL, authority.send)
    assert len(authority.tokens) == 20
    authority.now = 3599.0
    await authority.token()
    assert len(authority.tokens) == 1


async def test_the_secret_goes_to_the_authority_of_the_connection_for_its_environment() -> None:
    asked: list[tuple[str, bytes]] = []

    async def send(_operation: Operation, path: str, body: bytes) -> Reply:
        asked.append((path, body))
        return Reply(200, {}, b'{"access_token":"t","expires_in":60}')

    await Tokens().token(CONNECTION, Offered.secret("s&cret"), send)
    assert asked == [
        (
            "/directory/oauth2/v2.0/token",
            b"grant_type=client_credentials&client_id=client&client_secret=s%26cret"
            b"&scope=https%3A%2F%2Fcrm.example.com%2F.default",
        )
    ]
