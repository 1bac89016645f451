"""Uploads take turns: one of a tenant at a time, so that none keeps the others from working."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from kit.problems import TooManyRequests
from services.tenants.records.many.slots import Uploads
from tests.eventually import eventually

A, B, C = uuid4(), uuid4(), uuid4()
LATE = [b"la", b"te"]


async def nothing() -> list[bytes]:
    return []


async def take(uploads: Uploads, tenant, started: list[UUID], go: asyncio.Event) -> None:
    async with uploads.slot(tenant, nothing):
        started.append(tenant)
        await go.wait()


async def test_a_tenant_has_one_turn_and_leaves_the_other_to_others():
    uploads, go = Uploads(at_once=2), asyncio.Event()
    started: list[UUID] = []
    async with asyncio.TaskGroup() as group:
        for tenant in (A, A, A, B, C):
            group.create_task(take(uploads, tenant, started, go))
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert started == [A, B]
        go.set()
    assert sorted(started, key=str) == sorted([A, A, A, B, C], key=str)


async def test_who_waits_too_long_is_asked_to_come_back_and_takes_nothing():
    uploads = Uploads(at_once=1, wait_s=0.01)
    async with uploads.slot(A, nothing):
        for tenant in (A, B):
            with pytest.raises(TooManyRequests):
                async with uploads.slot(tenant, nothing):
                    pass
    async with uploads.slot(B, nothing):
        pass
    async with uploads.slot(A, nothing):
        pass


async def test_a_line_that_is_long_enough_takes_nobody_else():
    uploads, go = Uploads(at_once=1, line=2), asyncio.Event()
    started: list[UUID] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(take(uploads, A, started, go))
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):
            await take(uploads, A, started, go)
        go.set()
    assert started == [A, A, A]


async def test_a_body_stays_unread_until_its_tenant_has_its_turn_and_a_slow_one_holds_no_other():
    """A body in hand is memory; a tenant that sends slowly must not hold the turns of others."""
    uploads, come, read = Uploads(at_once=1), asyncio.Event(), list[UUID]()

    async def slowly() -> Sequence[bytes]:
        read.append(A)
        await come.wait()
        return LATE

    async def upload() -> Sequence[bytes]:
        async with uploads.slot(A, slowly) as body:
            return body

    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(upload()) for _ in range(2))
        await eventually(lambda: read)
        assert read == [A]
        async with uploads.slot(B, nothing) as body:
            assert body == []
        come.set()
    assert (first.result(), second.result(), read) == (LATE, LATE, [A, A])
