"""Seats in the running service: floods keep to their own queue, and who has gone costs nothing."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.caller import Caller
from contracts.ids import TenantId
from kit.http import parts_of
from kit.problems import Problem
from services.auth.parts import AuthParts
from services.auth.passwords import Passwords
from services.auth.problems import CallerGone, LoginBusy, TooManyLogins
from services.auth.seating import Seating
from services.auth.seats import Bounds
from tests.eventually import eventually
from tests.services.auth.running_auth import PASSWORD, Auth, running_auth

KNOWN = TenantId(uuid4())
ONE = Bounds(seats=1, waiting=8, of_tenant=4, of_address=2)


Gone = Callable[[], Coroutine[Any, Any, None]]


async def never() -> None:
    await asyncio.Event().wait()


def caller(address: str | None = None, gone: Gone = never) -> Caller:
    return Caller(ip_address(address) if address else None, gone)


def seating(bounds: Bounds = ONE, wait_s: float = 60.0) -> Seating:
    return Seating(Passwords(cores=1, cost_kib=8), lambda one: one == KNOWN, bounds, wait_s)


class Visits:
    """Requests for seats that stay seated until they are let go, in the order of their calls."""

    def __init__(self, seating: Seating) -> None:
        self.seating, self.inside = seating, list[str]()
        self.tasks, self._leave = dict[str, asyncio.Task[None]](), dict[str, asyncio.Event]()

    async def come(self, name: str, tenant: TenantId | None, who: Caller | None = None) -> None:
        self._leave[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._visit(name, tenant, who or caller()))
        for _ in range(4):  # a few rounds of the loop, so that the next one comes after it
            await asyncio.sleep(0)

    async def _visit(self, name: str, tenant: TenantId | None, who: Caller) -> None:
        async with self.seating.seat(tenant, who):
            self.inside.append(name)
            await self._leave[name].wait()

    async def are_inside(self, *names: str) -> None:
        """Return once so many have been seated, and it was they, in this order."""
        await eventually(lambda: len(self.inside) >= len(names), 8)
        assert self.inside == list(names)

    async def let_go(self, name: str) -> None:
        self._leave[name].set()
        await self.tasks[name]

    async def refused(self, name: str) -> Problem:
        await eventually(self.tasks[name].done, 8)
        with pytest.raises(Problem) as found:
            await self.tasks[name]
        return found.value


@pytest.fixture
async def visits() -> AsyncIterator[Visits]:
    made = Visits(seating())
    yield made
    for task in made.tasks.values():
        task.cancel()
    await asyncio.gather(*made.tasks.values(), return_exceptions=True)
    made.seating.close()


async def test_tenants_and_operators_take_turns(visits: Visits) -> None:
    for name in ("a1", "a2", "a3"):
        await visits.come(name, KNOWN)
    await visits.come("root", None)
    order = ["a1", "a2", "root", "a3"]
    for count, name in enumerate(order, 1):
        await visits.are_inside(*order[:count])
        await visits.let_go(name)


async def test_invented_tenants_share_one_queue(visits: Visits) -> None:
    for number in range(4):
        await visits.come(f"x{number}", TenantId(uuid4()))
    await visits.come("a", KNOWN)
    for name in ("x0", "x1"):
        await visits.let_go(name)
    await visits.are_inside("x0", "x1", "a")
    for number in (4, 5, 6):
        await visits.come(f"x{number}", TenantId(uuid4()))
    assert "of this tenant" in str(await visits.refused("x6"))


async def test_each_bound_refuses_in_its_own_words(visits: Visits) -> None:
    await visits.come("seated", KNOWN)
    for name in ("b0", "b1", "address"):
        await visits.come(name, KNOWN, caller("192.0.2.1"))
    for name in ("c0", "c1"):
        await visits.come(name, KNOWN, caller("192.0.2.2"))
    await visits.come("tenant", KNOWN, caller("192.0.2.2"))
    for name in ("o0", "o1", "o2", "o3"):
        await visits.come(name, None)
    await visits.come("newcomer", TenantId(uuid4()))
    refusals = [await visits.refused(name) for name in ("address", "tenant", "b1")]
    assert [(type(one), one.detail) for one in refusals] == [
        (TooManyLogins, "too many logins from this address are waiting"),
        (TooManyLogins, "too many logins from this address are waiting"),
        (LoginBusy, "too many logins of all tenants are waiting"),
    ]
    assert all(one.headers == {"Retry-After": "1"} for one in refusals)
    for name in ("seated", "b0", "o0"):
        await visits.let_go(name)
    await visits.are_inside("seated", "b0", "o0", "newcomer")


async def test_the_tenants_bound_is_named(visits: Visits) -> None:
    await visits.come("seated", KNOWN)
    for number in range(5):
        await visits.come(f"a{number}", KNOWN, caller(f"192.0.2.{number}"))
    refused = await visits.refused("a4")
    assert isinstance(refused, TooManyLogins)
    assert refused.detail == "too many logins of this tenant are waiting"


async def test_an_ipv6_subscriber_is_one_address(visits: Visits) -> None:
    await visits.come("seated", KNOWN)
    for number in range(3):
        await visits.come(f"a{number}", KNOWN, caller(f"2001:db8::{number + 1}"))
    assert "from this address" in str(await visits.refused("a2"))


async def test_who_has_gone_before_its_turn_never_gets_a_seat(visits: Visits) -> None:
    left = asyncio.Event()

    async def gone() -> None:
        await left.wait()

    await visits.come("seated", KNOWN)
    await visits.come("gone", KNOWN, caller(gone=gone))
    await visits.come("stays", KNOWN)
    left.set()
    assert isinstance(await visits.refused("gone"), CallerGone)
    await visits.let_go("seated")
    await visits.are_inside("seated", "stays")


async def test_who_has_gone_before_it_came_gets_no_seat_although_one_is_free(
    visits: Visits,
) -> None:
    async def gone() -> None:
        return

    await visits.come("gone", KNOWN, caller(gone=gone))
    assert isinstance(await visits.refused("gone"), CallerGone)
    await visits.come("next", KNOWN)
    await visits.are_inside("next")


async def test_nobody_waits_without_end() -> None:
    visits = Visits(seating(wait_s=0.05))
    await visits.come("seated", KNOWN)
    await visits.come("slow", KNOWN)
    refused = await visits.refused("slow")
    assert isinstance(refused, LoginBusy)
    assert refused.detail == "it was not this login's turn in time"
    await visits.let_go("seated")
    await visits.are_inside("seated")


async def test_a_cancelled_wait_and_a_failed_visit_give_their_seat_back(visits: Visits) -> None:
    await visits.come("seated", KNOWN)
    await visits.come("cancelled", KNOWN)
    await visits.come("next", KNOWN)
    for name in ("cancelled", "seated"):
        visits.tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await visits.tasks[name]
    await visits.are_inside("seated", "next")


@pytest.fixture
async def one_core(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Auth]:
    passwords = Passwords(cores=1, cost_kib=8 * 1024)
    async with running_auth(await service_db("auth"), tmp_path, passwords) as auth:
        yield auth


async def two_tenants(auth: Auth) -> tuple[UUID, UUID]:
    flooded, quiet = await auth.tenant("ada@a.example"), await auth.tenant("eve@b.example")
    await parts_of(auth.app, AuthParts).known_tenants.load()
    return flooded, quiet


class Flood:
    """So many at a time log in at a tenant, from one address, again and again."""

    def __init__(self, auth: Auth, tenant: UUID, address: str = "") -> None:
        self._auth, self._path, self.heard = auth, f"/t/{tenant}/v1/login", 0
        self._headers = {"x-gw-address": address} if address else {}

    async def _one(self, number: int) -> None:
        for turn in itertools.count():
            body = {"email": f"nobody{number}.{turn}@a.example", "password": PASSWORD}
            answer = await self._auth.client.post(self._path, json=body, headers=self._headers)
            assert answer.status_code == 401, answer.text
            self.heard += 1

    @contextlib.asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._one(number)) for number in range(size)]
        await eventually(lambda: self.heard > size)
        try:
            yield
            assert not any(task.done() for task in tasks), "it went on all the time"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_tenant_that_is_flooded_leaves_others_their_share(one_core: Auth) -> None:
    """Its 16 come before nobody: in one row for all, each login would wait for all of them."""
    flooded, quiet = await two_tenants(one_core)
    flood = Flood(one_core, flooded)
    async with flood.of(16):
        for _ in range(3):
            before = flood.heard
            assert (await one_core.login("eve@b.example", tenant=quiet)).status_code == 200
            assert flood.heard - before <= 8


async def test_an_address_that_floods_a_tenant_leaves_its_users_their_share(
    one_core: Auth,
) -> None:
    flooded, _ = await two_tenants(one_core)
    flood, one_core.address = Flood(one_core, flooded, "192.0.2.66"), "198.51.100.1"
    async with flood.of(8):
        for _ in range(3):
            before = flood.heard
            assert (await one_core.login("ada@a.example", tenant=flooded)).status_code == 200
            assert flood.heard - before <= 5


async def test_accepting_an_invitation_takes_a_seat_of_its_tenant(one_core: Auth) -> None:
    auth, tenant = one_core, uuid4()
    auth.directory[tenant] = "active"
    invitation = await auth.invite_first(tenant, "new@c.example")
    await parts_of(auth.app, AuthParts).known_tenants.load()
    async with parts_of(auth.app, AuthParts).seating.seat(None, caller()):
        crowd = [asyncio.create_task(auth.accept(invitation, tenant=tenant)) for _ in range(17)]
        await eventually(lambda: any(task.done() for task in crowd))
        assert [task.result().status_code for task in crowd if task.done()] == [429]
    statuses = [answer.status_code for answer in await asyncio.gather(*crowd)]
    assert sorted(statuses) == [200] + [404] * 15 + [429]
