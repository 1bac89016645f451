"""Uploads take turns: one of a tenant at a time, so that none keeps the others from working."""

import asyncio
from uuid import UUID, uuid4

import pytest

from kit.problems import TooManyRequests
from services.tenants.uploads import Uploads

A, B, C = uuid4(), uuid4(), uuid4()


async def take(uploads: Uploads, tenant, started: list[UUID], go: asyncio.Event) -> None:
    async with uploads.turn(tenant):
        started.append(tenant)
        await go.wait()


async def test_a_tenant_has_one_turn_and_leaves_the_other_to_others():
    uploads, go = Uploads(at_once=2), asyncio.Event()
    started: list[UUID] = []
    async with asyncio.TaskGroup() as group:
        for tenant in (A, A, A, B, C):
            group.create_task(take(uploads, tenant, started, go))
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert started == [A, B]
        go.set()
    assert sorted(started, key=str) == sorted([A, A, A, B, C], key=str)


async def test_who_waits_too_long_is_asked_to_come_back_and_takes_nothing():
    uploads = Uploads(at_once=1, wait_s=0.01)
    async with uploads.turn(A):
        for tenant in (A, B):
            with pytest.raises(TooManyRequests):
                async with uploads.turn(tenant):
                    pass
    async with uploads.turn(B):
        pass
    async with uploads.turn(A):
        pass
