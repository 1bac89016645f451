"""Forgetting: old lines of the ledger, rows of vanished records, connections nobody can ask for,
and credentials that were replaced long ago."""

from datetime import timedelta

from kit import clock
from kit.db import Database
from kit.forgetting import in_batches
from kit.timers import Timer
from services.sync.store import connections, credentials, ledger, outgoing

KEEP_VANISHED = timedelta(days=30)
KEEP_REPLACED = timedelta(days=7)
EVERY_S = 3600.0
BATCH = 2000


def forgetting(db: Database, keep_ledger: timedelta) -> Timer:
    """A timer that forgets in batches, so that no transaction is long."""

    async def forget() -> None:
        now = clock.now()
        for forget_some, before in (
            (ledger.forget, now - keep_ledger),
            (outgoing.forget_vanished, now - KEEP_VANISHED),
            (connections.forget_removed, now - keep_ledger),
            (credentials.forget_replaced, now - KEEP_REPLACED),
        ):
            await in_batches(db, forget_some, before, BATCH)

    return Timer("forgetting", EVERY_S, forget)
