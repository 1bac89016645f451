"""A leased connection: one tenant's database held at one moment, read only, for one purpose."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
from asyncpg import Connection, Record


class LeaseRefused(Exception):
    """The server refused the lease's role: its login or one of its statements."""


class LeaseBlocked(LeaseRefused):
    """A table stayed locked by somebody else for too long."""


class LeaseLost(Exception):
    """The server could not be reached, or the connection broke."""


class LeaseSession:
    """Reads inside one REPEATABLE READ READ ONLY transaction."""

    def __init__(self, connection: "Connection[Record]") -> None:
        self._connection = connection

    async def fetch(self, query: str, /, *args: object) -> list[Record]:
        return await self._connection.fetch(query, *args)

    async def fetchrow(self, query: str, /, *args: object) -> Record | None:
        return await self._connection.fetchrow(query, *args)


@contextlib.asynccontextmanager
async def open_lease(
    *, host: str, port: int, database: str, user: str, password: str, role: str | None = None
) -> AsyncIterator[LeaseSession]:
    """Log in with a lease and hold one moment until the block ends; `role` is one to act as.

    Statements have no time limit of their own: hashing a large table takes as long as it takes,
    and the lease has an end. Raises LeaseRefused and LeaseLost, also for statements in the block.
    """
    try:
        connection = await asyncpg.connect(
            host=host,
            port=port,
            database=database,
            user=user,
            password=password,
            timeout=10,
            server_settings={
                "application_name": "bulkhead-lease",
                "timezone": "UTC",
                "statement_timeout": "0",
                "lock_timeout": "5000",
                "idle_in_transaction_session_timeout": "0",
                "transaction_timeout": "0",
            }
            | ({"role": role} if role else {}),
        )
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield LeaseSession(connection)
        finally:
            connection.terminate()
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError) as error:
        raise LeaseLost(type(error).__name__) from None
    except asyncpg.LockNotAvailableError:
        raise LeaseBlocked from None
    except asyncpg.PostgresError as error:
        raise LeaseRefused(type(error).__name__) from None
