"""When faulty logins block a name: more than `ALLOWED_IN_A_ROW` in a row, for `BLOCK`.

Pure: the same for names that exist and names that do not. The sources of the rule are NIST
SP 800-63B-4 section 3.2.2 and OWASP ASVS 5.0 6.3.1.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ALLOWED_IN_A_ROW = 3
BLOCK = timedelta(minutes=15)


class ClientClass(StrEnum):
    """Where a login comes from; each class counts by itself, so strangers block only strangers."""

    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Faulty logins in a row of one name and client class; a right one starts it afresh."""

    faulty: int = 0
    blocked_until: datetime | None = None


def blocked_for(attempts: Attempts, now: datetime) -> timedelta | None:
    """The time until the next attempt is looked at; None when it is now."""
    if attempts.blocked_until is None or attempts.blocked_until <= now:
        return None
    return attempts.blocked_until - now


def after_faulty(attempts: Attempts, now: datetime) -> Attempts:
    """The count goes on after a block: the next faulty login in the row blocks again."""
    faulty = attempts.faulty + 1
    return Attempts(faulty, now + BLOCK if faulty > ALLOWED_IN_A_ROW else None)
