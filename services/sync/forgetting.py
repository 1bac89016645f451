"""Forgetting: old lines of the ledger, rows of vanished records and rows of the CRM that were left
long ago, old runs, connections nobody can ask for, and credentials that were replaced."""

from datetime import datetime, timedelta

from kit import clock
from kit.db import Database, WriteSession
from kit.forgetting import in_batches
from kit.timers import Timer
from services.sync.store import connections, credentials, ledger, left_rows, outgoing, runs

KEEP_VANISHED = timedelta(days=30)
KEEP_REPLACED = timedelta(days=7)
KEEP_RUNS = timedelta(days=90)
RUNS_MOST = 1000  # of each connection
EVERY_S = 3600.0
BATCH = 2000
CONNECTIONS = 10  # each takes its runs along, as many as are kept


def forgetting(db: Database, keep_ledger: timedelta, push_s: float) -> Timer:
    """A timer that forgets in batches, so that none of its transactions is long."""

    async def forget() -> None:
        now = clock.now()
        for forget_some, before, most in (
            (ledger.forget, now - keep_ledger, BATCH),
            (outgoing.forget_vanished, now - KEEP_VANISHED, BATCH),
            (left_rows.forget, now - KEEP_VANISHED, BATCH),
            (credentials.forget_replaced, now - KEEP_REPLACED, BATCH),
            (runs.forget, now - KEEP_RUNS, BATCH),
            (_surplus_of_runs, now, BATCH),
            (connections.forget_removed, now - keep_ledger, CONNECTIONS),
        ):
            await in_batches(db, forget_some, before, most)
        async with db.write() as session:
            await runs.end_silent(session, now - timedelta(seconds=2 * push_s))

    return Timer("forgetting", EVERY_S, forget)


async def _surplus_of_runs(session: WriteSession, _before: datetime, most: int) -> int:
    return await runs.forget_surplus(session, RUNS_MOST, most)
