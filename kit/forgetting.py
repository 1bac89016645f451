"""Forgetting in batches: however much is old, no transaction is long."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from kit.db import Database, WriteSession

ForgetSome = Callable[[WriteSession, datetime, int], Awaitable[int]]
"""Forgets at most so many rows that are older than a moment; returns how many it were."""


async def in_batches(db: Database, forget_some: ForgetSome, before: datetime, batch: int) -> None:
    """Forget all that is older than `before`, each batch in a transaction of its own."""
    forgotten = batch
    while forgotten == batch:
        async with db.write() as session:
            forgotten = await forget_some(session, before, batch)
