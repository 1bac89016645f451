"""What a presented refresh token means: each is used once, and a stolen old one ends the session.

Pure. A client whose answer got lost may repeat its last refresh for `REPEAT_WITHIN` and gets the
same successor; anything older is reuse (RFC 9700 section 4.14.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

REPEAT_WITHIN = timedelta(seconds=10)
REFRESH_LIFETIME = timedelta(days=7)
SESSION_LIFETIME = timedelta(days=30)


class TokenMeaning(Enum):
    ROTATE = auto()
    REPEAT = auto()
    REUSED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Presented:
    """A known refresh token; `generations_behind` counts the newer ones of its session."""

    used_at: datetime | None
    generations_behind: int
    expires_at: datetime
    session_ends_at: datetime
    session_ended_at: datetime | None


def judge(token: Presented, now: datetime) -> TokenMeaning:
    if token.session_ended_at is not None or now >= token.session_ends_at:
        return TokenMeaning.ENDED
    if token.used_at is None:
        return TokenMeaning.ENDED if now >= token.expires_at else TokenMeaning.ROTATE
    if token.generations_behind == 1 and now - token.used_at <= REPEAT_WITHIN:
        return TokenMeaning.REPEAT
    return TokenMeaning.REUSED
