"""Forgetting: plans that nobody executed, and what became of restores and backups long ago."""

from datetime import timedelta

from kit import clock
from kit.db import Database
from kit.forgetting import in_batches
from kit.timers import Timer
from services.backup.store import backups, restores

KEEP = timedelta(days=400)
KEEP_PLANS = timedelta(days=30)
EVERY_S = 600.0
BATCH = 1000


def forgetting(db: Database, plan_lives: timedelta) -> Timer:
    """A timer that ends old plans and forgets in batches, so that no transaction is long.

    Backups that exist are never forgotten; restores go before the backups that they name.
    """

    async def forget() -> None:
        now = clock.now()
        for forget_some, before in (
            (restores.expire, now - plan_lives),
            (restores.forget_plans, now - KEEP_PLANS),
            (restores.forget_ended, now - KEEP),
            (backups.forget, now - KEEP),
        ):
            await in_batches(db, forget_some, before, BATCH)

    return Timer("forgetting", EVERY_S, forget)
