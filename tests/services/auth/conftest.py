"""Auth with a database of its own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.services.auth.running_auth import Auth, running_auth


@pytest.fixture
async def auth(service_db: Callable[[str], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Auth]:
    async with running_auth(await service_db("auth"), tmp_path) as running:
        await eventually(lambda: running.asked)  # the first list is older than all that follows
        yield running
