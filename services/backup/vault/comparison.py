"""What the index says of a tenant's backups against what the vault shows, pure: a table.

The vault is the truth about what can be restored; the index remembers what was found broken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.backup.vault.retention import Candidate, expired

Shown = Literal["verified", "unverified", "broken", "refused", "missing"]
"""Read back whole; not (yet); cut, or failed in its check; with a manifest not ours; not there."""

NewState = Literal["verified", "broken", "refused", "missing", "queued"]


@dataclass(frozen=True)
class Listed:
    """A backup as the index has it (`refused` is apart from `broken`, for it may be undone).

    `checked_at` is when its state was last found, `base` the full that it hangs on.
    """

    state: str
    at: datetime | None
    checked_at: datetime | None
    base: UUID | None = None


@dataclass(frozen=True)
class Found:
    """A backup as the vault shows it; `changed_at` is when its objects came to be there."""

    at: datetime | None
    shown: Shown
    changed_at: datetime


@dataclass(frozen=True)
class Findings:
    """What is to be written into the index, and what retention lets go, oldest first.

    Covered until the newest verified full: what hangs on one does not stand for the daily one.
    """

    marks: Mapping[UUID, NewState]
    gone: Sequence[UUID]
    covered_until: datetime | None

    @property
    def lost(self) -> bool:
        """Whether a backup that was there is not any more."""
        return any(state in _LOST for state in self.marks.values())


_LOST = ("broken", "refused", "missing")
_CHANGES: Mapping[tuple[str | None, Shown], NewState] = {
    ("verified", "broken"): "broken",
    ("verified", "refused"): "refused",
    ("verified", "missing"): "missing",
    ("broken", "missing"): "missing",
    ("refused", "verified"): "verified",
    ("refused", "broken"): "broken",
    ("refused", "missing"): "missing",
    ("missing", "refused"): "refused",
    ("missing", "broken"): "broken",
    ("missing", "verified"): "verified",
    ("expired", "verified"): "verified",  # retention died before it deleted, and now decides again
    ("failed", "verified"): "verified",
    (None, "verified"): "verified",  # the index is older than the vault
}


def compare(listed: Mapping[UUID, Listed], found: Mapping[UUID, Found], now: datetime) -> Findings:
    """The new state of each backup whose state is another, and retention over what then is."""
    marks, held = dict[UUID, NewState](), list[Candidate]()
    for backup in sorted(listed.keys() | found.keys()):
        row, there = listed.get(backup), found.get(backup)
        new = _new_state(row, there)
        if new is not None:
            marks[backup] = new
        at = (there.at if there else None) or (row.at if row else None)
        state = new or (row.state if row else None)
        if at is not None and (there or state in _LOST):
            base = row.base if row else None
            held.append(Candidate(backup, at, state == "verified", base))
    gone = [one.backup for one in expired(held, now)]
    kept = [one.at for one in held if one.base is None and one.verified and one.at <= now]
    left = {backup: state for backup, state in marks.items() if backup not in gone}
    return Findings(left, gone, max(kept, default=None))


def _new_state(row: Listed | None, there: Found | None) -> NewState | None:
    if row and there and row.state == "broken" and _is_replaced(row, there):
        return "queued"
    return _CHANGES.get((row.state if row else None, there.shown if there else "missing"))


def _is_replaced(row: Listed, there: Found) -> bool:
    """Somebody has put another copy there since it was found broken: read it again."""
    newer = row.checked_at is None or there.changed_at > row.checked_at
    return newer and there.shown != "missing"
