"""A control database with an outbox, and a broker in memory."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kit.db import Database
from kit.messaging.memory import MemoryBroker
from tests.outboxes import OutboxDatabase, outbox_database


@pytest.fixture
async def database(cluster: Any) -> AsyncIterator[OutboxDatabase]:
    async with outbox_database(cluster) as made:
        yield made


@pytest.fixture
def db(database: OutboxDatabase, open_db: Callable[[str], Database]) -> Database:
    return open_db(database.url)


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    made = MemoryBroker()
    yield made
    await made.close()
