"""Retention, pure: the five newest verified fulls stay, whatever else happens.

A full stamped in the future has no known age: it is never newest, and takes no other's place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

KEEP = 5


@dataclass(frozen=True)
class Full:
    """What retention has to know of a full backup."""

    backup: UUID
    at: datetime
    verified: bool


def expired(fulls: Sequence[Full], now: datetime, keep: int = KEEP) -> list[Full]:
    """The fulls to delete, oldest first: all that are older than the `keep` newest verified ones.

    Unverified fulls are never counted, and go only when enough verified ones are newer. Fulls of
    the future are counted apart, in the order in which they were asked for: so they stay few.
    """
    if keep < KEEP:
        raise ValueError(f"fewer than {KEEP} verified fulls are never enough")
    known = [full for full in fulls if full.at <= now]
    unknown = [full for full in fulls if full.at > now]
    return [*_beyond(known, keep, _age), *_beyond(unknown, keep, _asked)]


def _beyond(fulls: Sequence[Full], keep: int, age: Callable[[Full], Any]) -> list[Full]:
    verified = sorted((full for full in fulls if full.verified), key=age, reverse=True)
    if len(verified) < keep:
        return []
    oldest_kept = age(verified[keep - 1])
    return sorted((full for full in fulls if age(full) < oldest_kept), key=age)


def _age(full: Full) -> tuple[datetime, UUID]:
    return full.at, full.backup


def _asked(full: Full) -> UUID:
    """Ids are of version 7: they sort by our own clock."""
    return full.backup
