"""Whose a key is where several records have it: the CRM would make one row of them; pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

from services.sync.store.ownership import Rival


class Claim(Enum):
    MINE = auto()  # the key is this record's
    HEIR = auto()  # this record takes over the row of one that is gone
    TAKEN = auto()  # another record has it, and keeps it
    LEAVING = auto()  # the row with it is another record's, which has another key by now
    CIRCLE = auto()  # the same, and that key is, in the end, the one of this record's row
    BUSY = auto()  # something with this key is on its way


@dataclass(frozen=True)
class Claims:
    """Who owns the CRM's row keeps it, else the oldest record has the key, after every restart.

    `rivals` are all records that own a row with one of the keys, and the oldest with each of them
    that may have something to send.
    """

    owners: dict[str, Rival] = field(default_factory=dict)
    oldest: dict[str, UUID] = field(default_factory=dict)

    @classmethod
    def among(cls, rivals: Iterable[Rival]) -> "Claims":
        made = cls()
        for rival in rivals:
            if rival.crm_key is not None:
                made.owners[rival.crm_key] = rival
            if not rival.is_gone:
                known = made.oldest.get(rival.same_key, rival.record)
                made.oldest[rival.same_key] = min(known, rival.record)
        return made

    def of(self, record: UUID, same_key: str, busy: Collection[str]) -> tuple[Claim, Rival | None]:
        """What a record may do with its key, and whose row it is."""
        owner = self.owners.get(same_key)
        if same_key in busy:
            return Claim.BUSY, owner
        if owner is not None and owner.record == record:
            return Claim.MINE, owner
        if owner is not None and not owner.is_gone:
            return self._of_owned(record, same_key, owner, busy), owner
        if self.oldest.get(same_key, record) != record:
            return Claim.TAKEN, owner
        return (Claim.MINE, None) if owner is None else (Claim.HEIR, owner)

    def _of_owned(self, record: UUID, same_key: str, owner: Rival, busy: Collection[str]) -> Claim:
        """Whoever leaves a key for one that another leaves may, in the end, wait for itself."""
        if owner.same_key == same_key:
            return Claim.TAKEN
        seen = {same_key}
        while owner.record != record:
            if owner.is_gone or owner.same_key in seen:
                return Claim.LEAVING
            if owner.same_key in busy:
                return Claim.BUSY
            seen.add(owner.same_key)
            following = self.owners.get(owner.same_key)
            if following is None:
                return Claim.LEAVING
            owner = following
        return Claim.CIRCLE
