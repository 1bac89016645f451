"""When a tenant's full is due, pure: the first at once, then daily at a time of its own.

Missed runs are one.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from contracts.ids import TenantId
from kit.backoff import pause

_SPREAD = timedelta(hours=20)
_DAY = timedelta(days=1)
_FIRST_PAUSE_S = 60.0
LONGEST_PAUSE = timedelta(hours=4)


def slot_of(tenant: TenantId) -> timedelta:
    """The time after midnight UTC, within 20 hours, that is this tenant's own."""
    digest = int.from_bytes(blake2b(tenant.bytes, digest_size=8).digest(), "big")
    return timedelta(seconds=digest % int(_SPREAD.total_seconds()))


def latest_slot(tenant: TenantId, now: datetime) -> datetime:
    """The newest slot that has begun at `now`."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    slot = midnight + slot_of(tenant)
    return slot if slot <= now else slot - _DAY


def is_due(tenant: TenantId, last: datetime | None, now: datetime) -> bool:
    """Whether a slot has begun since the last full; the first full is due at once.

    A last full of the future is of no known time, and silences nothing.
    """
    return last is None or last > now or last < latest_slot(tenant, now)


def pause_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: doubling, at most four hours."""
    return pause(failures, _FIRST_PAUSE_S, LONGEST_PAUSE)
