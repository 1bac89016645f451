"""Logins: answers tell nothing about names, four faulty ones in a row block."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.ids import TenantId
from services.auth.lockout import ClientClass
from services.auth.passwords import Passwords
from services.auth.store import attempts
from tests.services.auth.running_auth import PASSWORD, Auth, running_auth

WRONG = "wrong tractor under nine moons"


async def test_the_right_password_gives_tokens(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    answer = await auth.login("ada@a.example", tenant=tenant)
    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 300)


async def test_an_address_is_one_user_however_it_is_written(auth: Auth) -> None:
    tenant = await auth.tenant("Ada@A.example")
    assert (await auth.login(" aDA@a.EXAMPLE", tenant=tenant)).status_code == 200


async def test_the_fourth_faulty_login_blocks_even_the_right_password(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    for _ in range(3):
        assert (await auth.login("ada@a.example", WRONG, tenant)).status_code == 401
    fourth = await auth.login("ada@a.example", WRONG, tenant)
    assert (fourth.status_code, fourth.headers["retry-after"]) == (429, "900")
    right = await auth.login("ada@a.example", PASSWORD, tenant)
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 900


async def test_three_faulty_logins_and_a_right_one_start_afresh(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    for _ in range(2):
        for _ in range(3):
            assert (await auth.login("ada@a.example", WRONG, tenant)).status_code == 401
        assert (await auth.login("ada@a.example", PASSWORD, tenant)).status_code == 200


async def test_the_block_ends_after_fifteen_minutes(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    for _ in range(4):
        await auth.login("ada@a.example", WRONG, tenant)
    auth.clock.ahead = timedelta(minutes=14, seconds=50)
    assert (await auth.login("ada@a.example", PASSWORD, tenant)).status_code == 429
    auth.clock.ahead = timedelta(minutes=15, seconds=1)
    assert (await auth.login("ada@a.example", PASSWORD, tenant)).status_code == 200


async def test_an_unknown_name_gets_the_same_answers_as_a_known_one(auth: Auth) -> None:
    """Known, unknown, not yet joined, unknown tenant: statuses, headers and bodies are equal."""
    tenant = await auth.tenant("ada@a.example")
    admin = await auth.access("ada@a.example", tenant)
    body = {"email": "invited@a.example", "level": 61}
    await auth.post(f"/t/{tenant}/v1/users/invitations", body, admin)
    stories = []
    for email, where in (
        ("ada@a.example", tenant),
        ("nobody@a.example", tenant),
        ("invited@a.example", tenant),
        ("ada@a.example", uuid4()),
        ("nobody@platform.example", None),
    ):
        answers = [await auth.login(email, WRONG, where) for _ in range(5)]
        stories.append(
            [
                (one.status_code, one.text, sorted(one.headers.keys() - {"x-request-id"}))
                for one in answers
            ]
        )
    assert [status for status, _, _ in stories[0]] == [401, 401, 401, 429, 429]
    assert all(story == stories[0] for story in stories)


async def test_a_burst_of_guesses_gets_no_more_tries_than_a_row(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    answers = await asyncio.gather(
        *(auth.login("ada@a.example", f"{WRONG} {n}", tenant) for n in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [401] * 3 + [429] * 9


async def test_many_right_logins_at_once_block_nobody(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    answers = await asyncio.gather(*(auth.login("ada@a.example", tenant=tenant) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}


async def test_names_are_blocked_per_tenant(auth: Auth) -> None:
    one, two = await auth.tenant("ada@a.example"), await auth.tenant("ada@a.example")
    for _ in range(4):
        await auth.login("ada@a.example", WRONG, one)
    assert (await auth.login("ada@a.example", PASSWORD, one)).status_code == 429
    assert (await auth.login("ada@a.example", PASSWORD, two)).status_code == 200


async def test_a_name_and_its_password_open_their_own_tenant_only(auth: Auth) -> None:
    tenant, other = await auth.tenant("ada@a.example"), await auth.tenant("eve@b.example")
    for email, where in (
        ("ada@a.example", other),
        ("eve@b.example", tenant),
        ("ada@a.example", None),
    ):
        assert (await auth.login(email, PASSWORD, where)).status_code == 401
    assert (await auth.login("root@platform.example", PASSWORD, tenant)).status_code == 401
    assert (await auth.login("ada@a.example", PASSWORD, tenant)).status_code == 200


async def test_a_block_is_told_for_users_that_exist_and_for_no_other(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    for email in ("ada@a.example", "nobody@a.example"):
        for _ in range(4):
            await auth.login(email, WRONG, tenant)
    told = [one for one in await auth.outbox() if one["type"] == "auth.account.locked.v1"]
    assert len(told) == 1
    assert told[0]["data"].keys() == {"tenant", "user", "until"}


async def test_a_suspended_tenant_lets_nobody_in(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    refresh = (await auth.logged_in("ada@a.example", tenant))["refresh_token"]
    auth.directory[tenant] = "suspended"
    await auth.sweep()
    assert (await auth.login("ada@a.example", PASSWORD, tenant)).status_code == 403
    assert (await auth.login("ada@a.example", WRONG, tenant)).status_code == 401
    assert (await auth.refresh(refresh, tenant)).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ada@a.example", "password": ["s3cret-in-the-wrong-type"]},
        {"email": "ada@a.example", "password": "s3cret-in-the-wrong-type" * 100},
        {"email": "not an address s3cret", "password": PASSWORD},
        {"email": "ada@a.example", "password": PASSWORD, "s3cret": 1},
        {"email": "ada@a.example"},
        ["s3cret"],
        "s3cret",
        None,
    ],
)
async def test_a_wrong_body_is_refused_without_an_echo(auth: Auth, body: object) -> None:
    answer = await auth.post("/v1/operators/login", body)
    assert answer.status_code == 422
    assert "s3cret" not in answer.text.replace('"pointer":"/s3cret"', "")
    assert PASSWORD not in answer.text


async def test_logins_on_all_cores_leave_connections_to_everything_else(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    cores = 5
    passwords = Passwords(cores=cores, cost_kib=8)
    async with running_auth(await service_db("auth"), tmp_path, passwords) as auth:
        tenant = await auth.tenant("ada@a.example")
        token = await auth.access("ada@a.example", tenant)
        # one seat is kept for a realm that holds none: operators fill the others, a tenant the last
        realms = [*[None] * (cores - 1), TenantId(tenant)]
        people = [(f"user{n}@a.example", realm) for n, realm in enumerate(realms)]
        async with auth.db.write() as session:
            for email, realm in people:
                name = attempts.name_of(realm, email, ClientClass.UNKNOWN)
                await attempts.lock(session, name, auth.clock())
            waiting = []
            for number, (email, realm) in enumerate(people, start=1):
                waiting.append(asyncio.create_task(auth.login(email, tenant=realm)))
                await auth.all_wait(number)
            others = [await auth.get("/v1/me", token) for _ in range(3)]
        assert {(await answer).status_code for answer in waiting} == {401}
    assert {answer.status_code for answer in others} == {200}
