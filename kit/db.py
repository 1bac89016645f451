"""Sessions on a service's control database: a read session cannot write, a write session commits
before anybody is told that it worked."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from weakref import WeakSet

from prometheus_client import Gauge
from sqlalchemy import Executable, RowMapping, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import Pool, QueuePool

from kit import clock, telemetry

Parameters = Mapping[str, Any] | list[dict[str, Any]] | None
_IN_USE = Gauge(
    "bulkhead_pool_connections_in_use", "Connections to a control database in use.", ["database"]
)
_MOST = Gauge(
    "bulkhead_pool_connections_most", "Connections to a control database that may be.", ["database"]
)
_pools: dict[str, WeakSet[Pool]] = {}
_READ_ONLY = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


class ReadSession:
    """A read-only transaction (REPEATABLE READ: one consistent picture)."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, statement: Executable, params: Parameters = None) -> list[RowMapping]:
        result = await self._connection.execute(statement, params)
        return list(result.mappings())

    async def first(self, statement: Executable, params: Parameters = None) -> RowMapping | None:
        result = await self._connection.execute(statement, params)
        return result.mappings().first()

    async def scalar(self, statement: Executable, params: Parameters = None) -> Any:
        return (await self._connection.execute(statement, params)).scalar()


class WriteSession(ReadSession):
    """A transaction that commits when the block that opened it ends without an error."""

    async def run(self, statement: Executable, params: Parameters = None) -> int:
        """Execute; returns the number of rows that it touched."""
        return int((await self._connection.execute(statement, params)).rowcount)


class Database:
    """A pool on one database.

    `url` is postgresql://user:password@host:port/name; `statement_timeout_s` bounds every
    statement, ten times that every transaction.
    """

    def __init__(self, url: str, *, size: int = 5, statement_timeout_s: float = 5.0) -> None:
        limit_ms, address = int(statement_timeout_s * 1000), make_url(url)
        self._engine = create_async_engine(
            address.set(drivername="postgresql+asyncpg"),
            pool_size=size,
            max_overflow=0,
            pool_timeout=statement_timeout_s,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "timeout": statement_timeout_s,
                "server_settings": {
                    "statement_timeout": str(limit_ms),
                    "transaction_timeout": str(limit_ms * 10),
                    "application_name": address.username or "",
                },
            },
        )
        self._name = self._engine.url.database or ""
        _watch(self._name, self._engine.pool)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        with self._span("read"):
            async with self._engine.connect() as connection, connection.begin():
                await connection.execute(_READ_ONLY)
                yield ReadSession(connection)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        with self._span("write"):
            async with self._engine.connect() as connection, connection.begin():
                yield WriteSession(connection)

    def _span(self, mode: str) -> contextlib.AbstractContextManager[object]:
        """One for a transaction, from the wait for a connection to the commit; never a statement:
        its text may be put together, its parameters are data."""
        return telemetry.span(
            f"{mode} {self._name}", "client", system="postgresql", database=self._name
        )

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def clock_ahead_s(self) -> float:
        """By how many seconds this process's clock is ahead of the database server's."""
        async with self._engine.connect() as connection:
            before = clock.now()
            there = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return float((before - there).total_seconds())

    async def close(self) -> None:
        await self._engine.dispose()


def _watch(database: str, pool: Pool) -> None:
    """Several pools on one database are counted together, when the gauge is read."""
    known = _pools.setdefault(database, WeakSet())
    known.add(pool)
    _IN_USE.labels(database).set_function(lambda: sum(_checked_out(one) for one in known))
    _MOST.labels(database).set_function(lambda: sum(_size(one) for one in known))


def _checked_out(pool: Pool) -> int:
    return pool.checkedout() if isinstance(pool, QueuePool) else 0


def _size(pool: Pool) -> int:
    return pool.size() if isinstance(pool, QueuePool) else 0
