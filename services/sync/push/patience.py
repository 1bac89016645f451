"""How long rows wait: little for what passes by itself, long for what a person may mend; pure."""

from datetime import datetime, timedelta

from kit.backoff import is_exhausted, pause
from services.sync.crm import Meaning, Verdict
from services.sync.store.outgoing import DueRow
from services.sync.store.settling import Settlement

_SLOWLY_S, _SLOWEST = 3600.0, timedelta(days=1)
_PASSING = (Meaning.RACED, Meaning.UNSEEN, Meaning.BACK_OFF)  # by itself, perhaps


def second_look(attempts: int) -> timedelta:
    """When a parked row is tried again by itself: after an hour, then later each time."""
    return pause(attempts, _SLOWLY_S, _SLOWEST)


def parked(
    row: DueRow, now: datetime, reason: str, code: str, detail: bytes | None = None
) -> Settlement:
    """Nothing is final: a parked row is looked at again, slowly."""
    attempts, since = row.attempts + 1, row.failing_since or now
    again = now + second_look(attempts)
    return Settlement(row.record, "parked", again, attempts, since, reason, code, detail)


def unaccepted(
    row: DueRow,
    verdict: Verdict,
    now: datetime,
    detail: bytes | None,
    most: int,
    backoff_s: float,
) -> Settlement:
    """The row as it waits after a verdict other than OK: soon again, or parked."""
    attempts, since = row.attempts + 1, row.failing_since or now
    if verdict.meaning not in _PASSING:
        return parked(row, now, verdict.reason, verdict.code, detail)
    if verdict.code == "not-run":  # it says nothing of the row, and another one was answered
        attempts = row.attempts
    if is_exhausted(attempts, since, now, most):
        reason = f"{verdict.reason}; given up after {attempts} attempts"
        return parked(row, now, reason, verdict.code, detail)
    again = now + pause(attempts, backoff_s)
    return Settlement(
        row.record, "retry", again, attempts, since, verdict.reason, verdict.code, detail
    )
