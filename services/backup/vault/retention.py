"""Retention, pure: the five newest verified fulls stay with all that hangs on them, whatever else
happens.

A full stamped in the future has no known age: it is never newest, and takes no other's place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

KEEP = 5


@dataclass(frozen=True)
class Candidate:
    """What retention has to know of a backup; `base` is the full that it hangs on, if any."""

    backup: UUID
    at: datetime
    verified: bool
    base: UUID | None = None


@dataclass(frozen=True)
class Series:
    """A full and what hangs on it, which is of no use without it: it stays or goes as one.

    What hangs on a full that is nowhere is a series of its own. It may still continue an older
    one, so only its age decides.
    """

    head: Candidate
    hanging: Sequence[Candidate] = ()

    @property
    def is_enough(self) -> bool:
        """Whether a tenant can be restored from it."""
        return self.head.base is None and self.head.verified

    @property
    def in_order_of_deletion(self) -> list[Candidate]:
        """The full last: who dies in between leaves nothing that hangs on nothing."""
        return [*sorted(self.hanging, key=_age, reverse=True), self.head]


def expired(backups: Sequence[Candidate], now: datetime, keep: int = KEEP) -> list[Candidate]:
    """What to delete, oldest first: all series that are older than the `keep` newest verified ones.

    Unverified fulls are never counted, and go only when enough verified ones are newer. Fulls of
    the future are counted apart, in the order in which they were asked for: so they stay few.
    """
    if keep < KEEP:
        raise ValueError(f"fewer than {KEEP} verified fulls are never enough")
    all_of_them = series_of(backups)
    known = [series for series in all_of_them if series.head.at <= now]
    unknown = [series for series in all_of_them if series.head.at > now]
    going = [*_beyond(known, keep, _age), *_beyond(unknown, keep, _asked)]
    return [backup for series in going for backup in series.in_order_of_deletion]


def series_of(backups: Sequence[Candidate]) -> list[Series]:
    """Each backup in exactly one series."""
    hanging: dict[UUID, list[Candidate]] = {one.backup: [] for one in backups if one.base is None}
    heads = [one for one in backups if one.base is None or one.base not in hanging]
    for one in backups:
        if one.base in hanging:
            hanging[one.base].append(one)
    return [Series(head, hanging.get(head.backup, ())) for head in heads]


def _beyond(found: Sequence[Series], keep: int, age: Callable[[Candidate], Any]) -> list[Series]:
    enough = sorted((age(one.head) for one in found if one.is_enough), reverse=True)
    if len(enough) < keep:
        return []
    oldest_kept = enough[keep - 1]
    older = (one for one in found if age(one.head) < oldest_kept)
    return sorted(older, key=lambda one: age(one.head))


def _age(backup: Candidate) -> tuple[datetime, UUID]:
    return backup.at, backup.backup


def _asked(backup: Candidate) -> UUID:
    """Ids are of version 7: they sort by our own clock."""
    return backup.backup
