"""Two replicas of auth on one database, each with a clock of its own: what either learns is so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.events import TenantCreated, TenantResumed, TenantSuspended
from contracts.ids import TenantId
from kit.http import parts_of
from kit.messaging import Message
from kit.notice import Notice
from services.auth.known_tenants import KnownTenants
from services.auth.parts import AuthParts
from services.auth.store import tenants
from tests.eventually import eventually
from tests.services.auth.running_auth import Auth, running_auth


@dataclass
class Replicas:
    """Both with the same list of tenants; each is handed its own notices."""

    one: Auth
    other: Auth

    async def tell(self, auth: Auth, notice: Notice | Message) -> Message:
        message = notice if isinstance(notice, Message) else notice.to_message(source="/tenants")
        await auth.broker.publish(message)
        return message

    async def read_to_here(self, auth: Auth) -> None:
        """Whatever was told before has had its effect."""
        last = await self.tell(auth, TenantCreated(tenant=TenantId(uuid4())))
        seen = text("SELECT count(*) FROM inbox WHERE event_id = :event")

        async def is_read() -> bool:
            async with auth.db.read() as session:
                return bool(await session.scalar(seen, {"event": UUID(last.id)}))

        await eventually(is_read)

    async def becomes(self, tenant: UUID, expected: str) -> None:
        async def is_so() -> bool:
            return bool(await self.state(tenant) == expected)

        await eventually(is_so)

    async def state(self, tenant: UUID) -> Any:
        async with self.one.db.read() as session:
            return await tenants.state(session, TenantId(tenant))

    async def logins(self, tenant: UUID) -> list[int]:
        found = [
            await auth.login("ada@a.example", tenant=tenant) for auth in (self.one, self.other)
        ]
        return [answer.status_code for answer in found]


@pytest.fixture
async def replicas(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Replicas]:
    url, folders = await service_db("auth"), [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    async with running_auth(url, folders[0]) as one, running_auth(url, folders[1]) as other:
        other.directory = one.directory
        await eventually(lambda: one.asked and other.asked)  # the first lists are older than all
        yield Replicas(one, other)


async def _suspended(replicas: Replicas) -> tuple[UUID, Message]:
    """A tenant that both have let in, and neither lets in any more."""
    tenant = await replicas.one.tenant("ada@a.example")
    await parts_of(replicas.other.app, AuthParts).known_tenants.load()
    assert await replicas.logins(tenant) == [200, 200]
    replicas.one.directory[tenant] = "suspended"
    told = await replicas.tell(replicas.one, TenantSuspended(tenant=TenantId(tenant)))
    await replicas.becomes(tenant, "suspended")
    return tenant, told


async def _resume(replicas: Replicas, tenant: UUID) -> None:
    replicas.one.directory[tenant] = "active"
    await replicas.tell(replicas.one, TenantResumed(tenant=TenantId(tenant)))
    await replicas.becomes(tenant, "active")


async def test_a_suspension_told_to_one_replica_closes_both(replicas: Replicas) -> None:
    tenant, _ = await _suspended(replicas)
    assert await replicas.logins(tenant) == [403, 403]
    await _resume(replicas, tenant)
    assert await replicas.logins(tenant) == [200, 200]


@pytest.mark.parametrize("again", ["one", "other"])
async def test_a_suspension_that_comes_twice_closes_once(replicas: Replicas, again: str) -> None:
    """The broker delivers it again when the tenant has been resumed; also to the other replica.

    With the list out of reach nothing could open the tenant once more.
    """
    tenant, told = await _suspended(replicas)
    await _resume(replicas, tenant)
    auth: Auth = getattr(replicas, again)
    replicas.one.is_alone = replicas.other.is_alone = True
    await replicas.tell(auth, told)
    await replicas.read_to_here(auth)
    assert await replicas.state(tenant) == "active"
    assert await replicas.logins(tenant) == [200, 200]


@pytest.mark.parametrize("late", ["one", "other"])
async def test_a_suspension_that_comes_after_the_resumption_is_undone_by_the_list(
    replicas: Replicas, late: str
) -> None:
    """It closes at once, for it cannot be told from a new one, and the list opens at once."""
    tenant, _ = await _suspended(replicas)
    await _resume(replicas, tenant)
    auth: Auth = getattr(replicas, late)
    auth.is_alone = True
    await replicas.tell(auth, TenantSuspended(tenant=TenantId(tenant)))
    await replicas.becomes(tenant, "suspended")
    auth.is_alone = False
    await replicas.read_to_here(auth)  # wakes the look at the list once more
    await replicas.becomes(tenant, "active")
    assert await replicas.logins(tenant) == [200, 200]


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(hours=1)])
async def test_whose_clock_is_wrong_neither_wins_nor_loses(
    replicas: Replicas, ahead: timedelta
) -> None:
    """Told to the one with the wrong clock, taken back by the list that the other one asks for."""
    tenant = await replicas.one.tenant("ada@a.example")
    replicas.other.clock.ahead = ahead
    await replicas.tell(replicas.other, TenantSuspended(tenant=TenantId(tenant)))
    await replicas.read_to_here(replicas.other)
    replicas.one.directory[tenant] = "suspended"
    await replicas.other.sweep()
    assert await replicas.state(tenant) == "suspended"
    replicas.one.directory[tenant] = "active"
    await replicas.one.sweep()
    assert await replicas.state(tenant) == "active"


async def test_replicas_ask_for_the_list_one_after_the_other(replicas: Replicas) -> None:
    """An older list that was slow does not close what the newer one has found open."""
    tenant = await replicas.one.tenant("ada@a.example")
    has_asked, go_on = asyncio.Event(), asyncio.Event()
    replicas.one.directory[tenant] = "suspended"

    async def slowly() -> Any:
        found = await replicas.one.list_tenants()
        has_asked.set()
        await go_on.wait()
        return found

    slow = KnownTenants(replicas.one.db, slowly)
    older = asyncio.create_task(slow.sweep())
    await has_asked.wait()
    replicas.one.directory[tenant] = "active"
    known = KnownTenants(replicas.other.db, replicas.other.list_tenants)
    newer = asyncio.create_task(known.sweep())
    await replicas.one.all_wait(1)
    async with replicas.other.db.write() as session:
        await known.suspend(session, TenantId(tenant))  # late: it has been resumed
    go_on.set()
    await asyncio.gather(older, newer)
    assert await replicas.state(tenant) == "active"


async def test_a_suspension_closes_while_a_list_is_waited_for(replicas: Replicas) -> None:
    """Whoever asks for the list holds up no other replica's news."""
    tenant, go_on = await replicas.one.tenant("ada@a.example"), asyncio.Event()
    has_asked = asyncio.Event()

    async def never() -> Any:
        has_asked.set()
        await go_on.wait()
        return []

    sweeping = asyncio.create_task(KnownTenants(replicas.one.db, never).sweep())
    await has_asked.wait()
    await replicas.tell(replicas.other, TenantSuspended(tenant=TenantId(tenant)))
    await replicas.becomes(tenant, "suspended")
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
