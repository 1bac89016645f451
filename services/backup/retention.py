"""Retention, pure: the five newest verified fulls stay, whatever else happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

KEEP = 5


@dataclass(frozen=True)
class Full:
    """What retention has to know of a full backup."""

    backup: UUID
    at: datetime
    verified: bool


def expired(fulls: Sequence[Full], keep: int = KEEP) -> list[Full]:
    """The fulls to delete, oldest first: all that are older than the `keep` newest verified ones.

    Unverified fulls are never counted, and go only when enough verified ones are newer.
    """
    if keep < KEEP:
        raise ValueError(f"fewer than {KEEP} verified fulls are never enough")
    verified = sorted((full for full in fulls if full.verified), key=_age, reverse=True)
    if len(verified) < keep:
        return []
    oldest_kept = _age(verified[keep - 1])
    return sorted((full for full in fulls if _age(full) < oldest_kept), key=_age)


def _age(full: Full) -> tuple[datetime, UUID]:
    return full.at, full.backup
