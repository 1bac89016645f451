"""A server of the running suite is killed: the launcher sees it, and everything comes back."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest

from ops.local.suite import Suite
from ops.programs import PROGRAMS
from tests.eventually import eventually
from tests.journeys.shell import Shell


@pytest.fixture
async def watched(suite: Suite) -> AsyncIterator[Suite]:
    """The suite while its launcher supervises it."""
    task = asyncio.create_task(suite.supervise())
    yield suite
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def pid_of(suite: Suite, part: str) -> int | None:
    servers = {"PostgreSQL": suite.postgres, "RabbitMQ": suite.rabbitmq, "Envoy": suite.envoy}
    found = servers.get(part) or suite.children[part]
    return found.pid


async def is_well(suite: Suite, shell: Shell) -> bool:
    """Every program has everything it wants, the broker too, and the edge answers."""
    async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as client:
        for name in PROGRAMS:
            with contextlib.suppress(httpx2.TransportError):
                answer = await client.get(f"{suite.layout.places().url(name)}/readyz")
                if answer.is_success and set(answer.json()["checks"].values()) == {"ok"}:
                    continue
            return False
    return (await shell.run("status")).returncode == 0


@pytest.mark.parametrize("part", ["PostgreSQL", "RabbitMQ", "Envoy", "auth"])
async def test_what_was_killed_runs_again_and_the_suite_is_well(watched, stage, part):
    shell = Shell(watched.layout.credentials)
    before = pid_of(watched, part)
    assert before
    os.kill(before, signal.SIGKILL)
    await eventually(lambda: pid_of(watched, part) not in {None, before}, deadline_s=60)
    await eventually(lambda: is_well(watched, shell), deadline_s=90)
