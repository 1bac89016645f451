"""The inbox: a consumer's effect happens once, however often its notice is delivered."""

from datetime import timedelta

from sqlalchemy import text

from kit import clock
from kit.db import Database, WriteSession
from kit.timers import Timer

KEEP = timedelta(days=14)
FORGET_EVERY_S = 3600.0
_REMEMBER = text(
    "INSERT INTO inbox (consumer, event_id) VALUES (:consumer, CAST(:event_id AS uuid))"
    " ON CONFLICT DO NOTHING"
)
_FORGET = text("DELETE FROM inbox WHERE seen_at < :before")


async def once(session: WriteSession, consumer: str, event_id: str) -> bool:
    """Remember the event in the transaction of its effect; False: the effect has happened.

    Of two deliveries at the same time the second waits for the first one's commit or rollback.
    """
    return await session.run(_REMEMBER, {"consumer": consumer, "event_id": event_id}) == 1


def forgetting(db: Database) -> Timer:
    """A timer that forgets events older than KEEP, long after the broker could repeat them."""

    async def forget() -> None:
        async with db.write() as session:
            await session.run(_FORGET, {"before": clock.now() - KEEP})

    return Timer("inbox", FORGET_EVERY_S, forget)
