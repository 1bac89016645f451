"""The account log: every authentication leaves its line, and no line names a person or a secret."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from contracts import log_fields
from kit import logs
from kit.logs import _JsonFormatter
from services.auth.account_log import Event, LoginReason
from tests.services.auth.running_auth import PASSWORD, Auth

WRONG = "wrong tractor under nine moons"
NAME = "services.auth.account_log"
Lines = Callable[[], list[dict[str, Any]]]


class Written(logging.Handler):
    """Lines as they would be written to stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.lines, self._format = list[str](), _JsonFormatter("auth")

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self._format.format(record))


@pytest.fixture
def written() -> Iterator[Written]:
    handler, root = Written(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def lines(written: Written) -> Lines:
    """The account log since the last call, with only its own members."""
    begun = 0

    def read() -> list[dict[str, Any]]:
        nonlocal begun
        new, begun = written.lines[begun:], len(written.lines)
        kept = [line for line in map(json.loads, new) if line["logger"] == NAME]
        members = ("message", "address", "tenant", "user", "reason", "actor")
        return [{name: line[name] for name in members if line[name] is not None} for line in kept]

    return read


async def my_id(auth: Auth, token: str) -> str:
    return str((await auth.get("/v1/me", token)).json()["user"])


async def ada(auth: Auth) -> tuple[UUID, str, str]:
    """A tenant, its administrator's token and id; what follows comes from an address."""
    tenant = await auth.tenant("ada@a.example")
    token = await auth.access("ada@a.example", tenant)
    auth.address = "192.0.2.77"
    return tenant, token, await my_id(auth, token)


def of(event: Event, tenant: UUID | None, user: str = "", **more: object) -> dict[str, object]:
    line: dict[str, object] = {"message": event.value, "address": "192.0.2.0/24"}
    if tenant:
        line["tenant"] = str(tenant)
    if user:
        line["user"] = user
    return line | more


def counted(event: Event, reason: LoginReason) -> float:
    labels = {"event": event.value, "reason": reason.value}
    return REGISTRY.get_sample_value("bulkhead_account_events_total", labels) or 0.0


async def test_logins_are_counted_by_what_came_of_them(auth: Auth) -> None:
    tenant, *_ = await ada(auth)
    before = counted(Event.LOGIN_FAILED, LoginReason.WRONG_PASSWORD)
    await auth.login("ada@a.example", WRONG, tenant)
    assert counted(Event.LOGIN_FAILED, LoginReason.WRONG_PASSWORD) == before + 1


async def test_logins_say_who_from_where_and_why(auth: Auth, lines: Lines) -> None:
    tenant, token, user = await ada(auth)
    body = {"email": "new@a.example", "level": 25}
    await auth.post(f"/t/{tenant}/v1/users/invitations", body, token)
    lines()
    await auth.login("ada@a.example", tenant=tenant)
    await auth.login("nobody@a.example", WRONG, tenant)
    await auth.login("new@a.example", WRONG, tenant)
    invited = lines()
    assert invited.pop()["reason"] == "not-joined"
    assert invited == [
        of(Event.LOGGED_IN, tenant, user),
        of(Event.LOGIN_FAILED, tenant, reason="unknown-name"),
    ]
    for _ in range(5):
        await auth.login("ada@a.example", WRONG, tenant)
    wrong = of(Event.LOGIN_FAILED, tenant, user, reason="wrong-password")
    assert lines() == [
        *[wrong] * 4,
        of(Event.LOCKED, tenant, user),
        of(Event.LOGIN_BLOCKED, tenant, user, reason="locked"),
    ]
    assert (await auth.delete(f"/t/{tenant}/v1/users/{user}/lockout", token)).status_code == 204
    assert lines() == [of(Event.UNLOCKED, tenant, user, actor=user)]
    auth.directory[tenant] = "suspended"
    await auth.sweep()
    await auth.login("ada@a.example", PASSWORD, tenant)
    assert lines() == [of(Event.LOGIN_FAILED, tenant, user, reason="tenant-not-active")]


async def test_sessions_say_how_they_went_on_and_ended(auth: Auth, lines: Lines) -> None:
    tenant, _, user = await ada(auth)
    tokens = await auth.logged_in("ada@a.example", tenant)
    lines()
    fresh = (await auth.refresh(tokens["refresh_token"], tenant)).json()
    assert lines() == [of(Event.REFRESHED, tenant, user)]
    await auth.refresh("A" * 43, tenant)
    assert lines() == [of(Event.REFRESH_FAILED, tenant, reason="unknown-token")]
    auth.clock.ahead += timedelta(seconds=11)
    await auth.refresh(tokens["refresh_token"], tenant)
    assert lines() == [of(Event.REVOKED, tenant, user, reason="reused")]
    await auth.refresh(fresh["refresh_token"], tenant)
    assert lines() == [of(Event.REFRESH_FAILED, tenant, user, reason="ended")]
    auth.clock.ahead = timedelta()
    other = await auth.logged_in("ada@a.example", tenant)
    lines()
    for _ in range(2):
        await auth.post("/v1/logout", None, other["access_token"])
    assert lines() == [of(Event.REVOKED, tenant, user, reason="logged-out")]


async def test_invitations_and_levels_say_who_did_it_to_whom(auth: Auth, lines: Lines) -> None:
    tenant, token, admin = await ada(auth)
    body = {"email": "bob@a.example", "level": 25}
    invitation = (await auth.post(f"/t/{tenant}/v1/users/invitations", body, token)).json()
    (invited,) = lines()[-1:]
    bob = invited["user"]
    assert invited == of(Event.INVITED, tenant, bob, actor=admin)
    await auth.accept(invitation["invitation"], "passwordpassword", tenant)
    await auth.accept(invitation["invitation"], tenant=tenant)
    await auth.accept(invitation["invitation"], tenant=tenant)
    assert lines() == [
        of(Event.NOT_ACCEPTED, tenant, bob, reason="weak-password"),
        of(Event.ACCEPTED, tenant, bob),
        of(Event.NOT_ACCEPTED, tenant, reason="not-valid"),
    ]
    for _ in range(2):
        await auth.put(f"/t/{tenant}/v1/users/{bob}/level", {"level": 61}, token)
    assert lines() == [of(Event.LEVEL_CHANGED, tenant, bob, actor=admin)]


async def test_what_was_not_committed_is_not_logged(auth: Auth, lines: Lines) -> None:
    tenant, token, admin = await ada(auth)
    lines()
    answer = await auth.put(f"/t/{tenant}/v1/users/{admin}/level", {"level": 61}, token)
    assert (answer.status_code, lines()) == (409, [])


async def test_without_a_known_address_the_line_says_so(auth: Auth, written: Written) -> None:
    await auth.login("nobody@platform.example", WRONG)
    (line,) = [one for one in map(json.loads, written.lines) if one["logger"] == NAME]
    assert (line["address"], line["tenant"], line["user"]) == (None, None, None)
    assert line.keys() >= {"at", "reason", "session", "actor", "trace"}


async def test_nothing_of_a_person_or_a_secret_is_logged(auth: Auth, written: Written) -> None:
    """Canaries in every place that a caller can fill, through every public operation."""
    tenant, token, user = await ada(auth)
    auth.address = "2001:db8:77:88:99::7"
    tokens = await auth.logged_in("ada@a.example", tenant)
    body = {"email": "canary.bob@a.example", "level": 25}
    made = (await auth.post(f"/t/{tenant}/v1/users/invitations", body, token)).json()
    await auth.accept(made["invitation"], "passwordpassword-canary", tenant)
    await auth.accept(made["invitation"], "canary password that is long", tenant)
    await auth.accept("canary-token", PASSWORD, tenant)
    for _ in range(5):
        await auth.login("canary.bob@a.example", "canary wrong password", tenant)
        await auth.login("canary.nobody@a.example", "canary wrong password", None)
    fresh = (await auth.refresh(tokens["refresh_token"], tenant)).json()
    await auth.refresh("canary-token", tenant)
    await auth.delete(f"/t/{tenant}/v1/users/{user}/lockout", fresh["access_token"])
    await auth.post("/v1/logout", None, fresh["access_token"])
    secrets = [*tokens.values(), *fresh.values(), made["invitation"], token, PASSWORD]
    private = [str(one) for one in secrets if one not in ("Bearer", 300)]
    everything = "\n".join(written.lines)
    assert "2001:db8:77::/48" in everything
    for text in [*private, "canary", "ada@", "a.example", "192.0.2.77", "88:99", "argon2id$"]:
        assert text not in everything


def test_events_and_reasons_are_closed_sets_of_members_that_are_written() -> None:
    written = {"address", "user", "tenant", "reason", "session", "actor", "access_level"}
    assert written <= log_fields.FIELDS | logs.FIELDS
    assert len(Event) == 13
    assert all(reason.value.replace("-", "").isalpha() for reason in LoginReason)
