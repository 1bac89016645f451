"""How long to wait and when to give up; pure, takes the present as an argument."""

from datetime import datetime, timedelta

_LONGEST = timedelta(minutes=15)
_OLDEST = timedelta(days=14)


def pause(failures: int, base_s: float, longest: timedelta = _LONGEST) -> timedelta:
    """Doubles with each failure, from `base_s` to `longest` (a quarter of an hour)."""
    return min(longest, timedelta(seconds=base_s * 2 ** min(max(failures - 1, 0), 20)))


def is_exhausted(attempts: int, failing_since: datetime, now: datetime, most: int) -> bool:
    """Whether a row has failed too often or for too long and is parked."""
    return attempts >= most or now - failing_since > _OLDEST
