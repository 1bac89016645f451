"""The right to push a connection: a lock while it lasts, and a fence for whoever has lost it.

The lock lies in a connection to PostgreSQL, which can die while its push goes on. So each push also
takes the next number of its connection, and writes only as long as no other push has taken one.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from contracts.ids import ConnectionId
from kit import logs
from kit.db import Database, WriteSession

_log = logs.get(__name__)


class Overtaken(Exception):
    """Another push of the connection has begun, or it may not send: nothing of this one counts."""


@contextlib.asynccontextmanager
async def locked(locks: Database, id_: ConnectionId) -> AsyncIterator[bool]:
    """Whether no other process pushes the connection while this block lasts."""
    number = int.from_bytes(id_.bytes[8:], "big", signed=True)
    transaction = locks.write()
    session = await transaction.__aenter__()
    try:
        yield bool(await session.scalar(select(func.pg_try_advisory_xact_lock(number))))
    except BaseException as error:  # a cancellation that got lost here would end no worker
        await _let_go(transaction, id_, error)
        raise
    await _let_go(transaction, id_, None)


async def _let_go(
    transaction: AbstractAsyncContextManager[WriteSession],
    id_: ConnectionId,
    error: BaseException | None,
) -> None:
    """End the lock's transaction, in which nothing was written, as the block has ended; that its
    connection is gone is no error of the push."""
    try:
        await transaction.__aexit__(type(error) if error else None, error, None)
    except (DBAPIError, OSError):
        _log.warning("a push has lost its lock", connection=str(id_))
