"""A control database with nothing but the kit's tables and one table of effects, for the relay."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import asyncpg

from kit.notice import Notice

STEPS = sorted((Path(__file__).parents[1] / "kit" / "outbox").glob("*.sql"))
EFFECTS = "CREATE TABLE effect (number integer NOT NULL)"


class ThingHappened(Notice):
    """A notice for tests."""

    readers = ("test",)
    topic: ClassVar[str] = "test.thing.happened.v1"
    thing: UUID
    number: int


@dataclass(frozen=True)
class OutboxDatabase:
    """`url` is the service's, `relay_url` the relay's."""

    url: str
    relay_url: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    async def fetch(self, sql: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            rows: list[Any] = await connection.fetch(sql)
            return rows
        finally:
            await connection.close()

    async def waiting(self) -> int:
        """How many notices stand in the outbox."""
        return int((await self.fetch("SELECT count(*) FROM outbox"))[0][0])


@contextlib.asynccontextmanager
async def outbox_database(cluster: Any, service: str = "sync") -> AsyncIterator[OutboxDatabase]:
    """A fresh one that is dropped afterwards."""
    name = f"bulkhead_{service}_{secrets.token_hex(4)}"
    made = OutboxDatabase(cluster.url(service, name), cluster.url("relay", name))
    await cluster.execute(f"CREATE DATABASE {name} OWNER bulkhead_{service} TEMPLATE template0")
    await cluster.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await cluster.execute(f"GRANT CONNECT ON DATABASE {name} TO bulkhead_relay")
    connection = await asyncpg.connect(made.url)
    await connection.execute("".join(step.read_text() for step in STEPS) + EFFECTS)
    await connection.close()
    try:
        yield made
    finally:
        await cluster.drop(made.url)
