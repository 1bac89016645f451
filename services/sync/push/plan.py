"""What to do with each due row, decided from its present values before anything is sent; pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts.clients import PresentRecord
from services.sync.connection import ModuleMapping
from services.sync.crm import RowWrite, Target
from services.sync.push.claims import Claim, Claims
from services.sync.push.difference import IN_FLIGHT, difference
from services.sync.push.patience import parked
from services.sync.store.doubts import Doubt
from services.sync.store.outgoing import DueRow
from services.sync.store.ownership import Rival
from services.sync.store.settling import Intent, Settlement

GONE = "the record is gone; its row in the CRM stays"
NOT_CHOSEN = "the record's module is not chosen any more; its row in the CRM stays"
EMPTY = "all chosen fields of the record are empty: there is nothing to send"
Removal = Literal["delete", "deactivate"]
TAKEN = "another record has this key in the CRM, where letter case, accents and blanks do not count"


@dataclass(frozen=True)
class Rules:
    """What holds for all rows of a module in one push.

    `is_chosen` is false where the tenant has withdrawn the module from the connection.
    """

    mapping: ModuleMapping
    hash_key: bytes = field(repr=False)
    target: Target
    is_chosen: bool = True


@dataclass(frozen=True)
class Item:
    """A row to send and what it looked like when it was planned; `hashes` are remembered then.

    `same_key` is the key of its row there once it is sent; `heir_of` is the vanished record whose
    row it takes over, `displaces` the one whose row is not there if this key is accepted.
    `left_at` is when it was planned: the call leaves after that.
    With `steps_aside` its row has no key until the one that it wants is free.
    """

    row: DueRow
    write: RowWrite = field(repr=False)
    same_key: str
    hashes: Mapping[str, str] = field(default_factory=dict, repr=False)
    heir_of: UUID | None = None
    displaces: UUID | None = None
    steps_aside: bool = False
    left_at: datetime | None = None

    @property
    def record(self) -> UUID:
        return self.row.record

    @property
    def keys(self) -> set[str]:
        """Nothing else may go out for these keys meanwhile."""
        return {self.same_key, self.row.crm_key or self.same_key}

    @property
    def is_sought(self) -> bool:
        """Whether its row may be there by an unknown id, under the key that it had before, or where
        there is nothing to send by which it would be told."""
        had = self.row.crm_key
        if self.write.form != "new" or had is None:
            return False
        return had != self.same_key or not self.write.values

    def identified(self, crm_id: str) -> "Item":
        """With the CRM's id of its row, which has just been learnt."""
        return replace(self, write=replace(self.write, crm_id=crm_id))

    @property
    def doubt(self) -> Doubt:
        """The call that leaves for it, until its end is known."""
        return Doubt(self.record, self.left_at, self.row.doubted_at)

    @property
    def intent(self) -> Intent:
        """A new row is the record's from now on; a known one keeps its key until it has changed."""
        is_new = self.write.form == "new" and not self.is_sought
        known = dict.fromkeys(self.row.sent, IN_FLIGHT) if self.heir_of else {}
        return Intent(
            self.record,
            known | dict.fromkeys(self.hashes, IN_FLIGHT),
            self.same_key if is_new else self.row.crm_key,
            self.row.crm_id or self.write.crm_id or None,
        )


@dataclass
class PushPlan:
    """`items` are sent, `settled` need no call; what is in neither stays due."""

    items: list[Item] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)

    @property
    def has_refused(self) -> bool:
        """Whether anything is refused by what the CRM has described, which may be old."""
        return any(one.code in ("key-refused", "value-refused") for one in self.settled)


def key_of(record: PresentRecord) -> str:
    """What the record is called in the CRM."""
    return record.key or str(record.id)


def plan(
    due: Sequence[DueRow],
    present: Mapping[UUID, PresentRecord],
    rivals: Sequence[Rival],
    rules: Rules,
    now: datetime,
    busy: Collection[str] = (),
) -> PushPlan:
    """Sort the due rows: one row per key, only fields that are mapped, chosen and changed.

    `busy` are the keys for which something is on its way.
    """
    made, taken, claims = PushPlan(), set(busy), Claims.among(rivals)
    for row in due:
        record = present.get(row.record)
        if record is None:
            found = _vanished(row, rules, now, taken)
        else:
            found = _present(row, record, claims, rules, now, taken)
        if isinstance(found, Item):
            made.items.append(replace(found, left_at=now))
            taken |= found.keys
        elif found is not None:
            made.settled.append(found)
    return made


def removal_of(row: DueRow, mapping: ModuleMapping, is_chosen: bool) -> Removal | None:
    """How the row of a record that is not there any more goes; None where it stays as it is."""
    policy = mapping.deletions
    if policy == "keep" or not is_chosen or row.crm_key is None:
        return None
    return None if policy == "deactivate" and row.is_inactive else policy


def _vanished(
    row: DueRow, rules: Rules, now: datetime, busy: Collection[str]
) -> Item | Settlement | None:
    """The row of a record that was deleted goes by the module's policy; of one that is only not
    chosen any more, it stays."""
    form = removal_of(row, rules.mapping, rules.is_chosen)
    if form is None:
        reason, code = (GONE, "gone") if rules.is_chosen else (NOT_CHOSEN, "not-chosen")
        return Settlement(row.record, "removed", now, reason=reason, code=code)
    assert row.crm_key is not None
    if row.crm_key in busy:
        return None
    return Item(row, RowWrite(form, row.crm_key, crm_id=row.crm_id or ""), row.crm_key)


def _present(
    row: DueRow,
    record: PresentRecord,
    claims: Claims,
    rules: Rules,
    now: datetime,
    busy: Collection[str],
) -> Item | Settlement | None:
    """Who cannot be sent holds the key of no row that perhaps never arrived: it is looked for."""
    found = _decided(row, record, claims, rules, now, busy)
    is_parked = isinstance(found, Settlement) and found.state == "parked"
    if not is_parked or row.crm_key is None or not _is_unknown(row):
        return found
    return None if row.crm_key in busy else Item(row, RowWrite("new", row.crm_key), row.crm_key)


def _is_unknown(row: DueRow) -> bool:
    """Whether something was sent for a row of which nobody was ever told."""
    return row.crm_id is None and IN_FLIGHT in row.sent.values()


def _decided(
    row: DueRow,
    record: PresentRecord,
    claims: Claims,
    rules: Rules,
    now: datetime,
    busy: Collection[str],
) -> Item | Settlement | None:
    key = key_of(record)
    if problem := rules.target.key_problem(key):
        return parked(row, now, problem, "key-refused")
    same_key = rules.target.same_key(key)
    converted = rules.target.convert(mapped(record.fields, rules.mapping))
    if converted.problem:
        return parked(row, now, converted.problem, "value-refused")
    claim, owner = claims.of(row.record, same_key, busy)
    if claim is Claim.BUSY or (row.crm_key is not None and row.crm_key in busy):
        return None
    if claim is Claim.CIRCLE and (aside := _aside(row, rules)):
        return aside
    if claim in (Claim.TAKEN, Claim.LEAVING, Claim.CIRCLE):
        return parked(row, now, TAKEN, "key-taken")
    heir_of = displaces = None
    if claim is Claim.HEIR and owner is not None:
        if row.crm_key is None:
            heir_of, row = owner.record, _inheriting(row, owner)
        else:
            displaces = owner.record
    values = {**converted.values, **withdrawn(row.sent, record.fields, rules.mapping)}
    found = _changed(row, key, same_key, values, rules, heir_of)
    return replace(found, displaces=displaces) if found else _unchanged(row, now)


def _aside(row: DueRow, rules: Rules) -> Item | None:
    """The row without a key, so that the others of a circle of keys can move on; what stands for
    the key here is the record's id, which nobody else has."""
    if row.crm_id is None:
        return None
    key, column = str(row.record), rules.mapping.key_attribute
    write = RowWrite("known", key, {column: None}, crm_id=row.crm_id)
    return Item(row, write, rules.target.same_key(key), {column: IN_FLIGHT}, steps_aside=True)


def _inheriting(row: DueRow, owner: Rival) -> DueRow:
    """With all that is known of the row of the record that is gone: the values, too."""
    return replace(
        row,
        sent=owner.sent,
        crm_key=owner.crm_key,
        crm_id=owner.crm_id,
        is_inactive=owner.is_inactive,
        doubted_at=max(filter(None, (row.doubted_at, owner.doubted_at)), default=None),
    )


def _changed(
    row: DueRow,
    key: str,
    same_key: str,
    values: Mapping[str, Any],
    rules: Rules,
    heir_of: UUID | None,
) -> Item | None:
    """The row with what has changed; all of it, where the CRM's id of the row is not known."""
    mapping, is_known = rules.mapping, row.crm_id is not None
    named = {mapping.key_attribute: key}
    key_hash = difference(rules.hash_key, row.record, key, named, {}).hashes
    is_named = not is_known or row.sent.get(mapping.key_attribute) in key_hash.values()
    found = difference(rules.hash_key, row.record, key, values, row.sent, whole=not is_known)
    if not found.values and row.crm_key is None:
        return None
    is_same = is_named and not row.is_inactive and not heir_of and not _is_unknown(row)
    if not found.values and is_same:
        return None
    write = RowWrite(
        "known" if is_known else "new",
        key,
        {**rules.target.members(found.values), **({} if is_named else named)},
        crm_id=row.crm_id or "",
        revives=row.is_inactive,
    )
    return Item(row, write, same_key, {**found.hashes, **key_hash}, heir_of)


def _unchanged(row: DueRow, now: datetime) -> Settlement:
    if row.crm_key is None:
        return Settlement(row.record, "empty", now, reason=EMPTY, code="empty")
    return Settlement(row.record, "ok", now)


def mapped(fields: Mapping[str, Any], mapping: ModuleMapping) -> dict[str, Any]:
    """The values by their column names; a field without a mapping stays here."""
    return {theirs: fields[ours] for ours, theirs in mapping.fields.items() if ours in fields}


def withdrawn(
    sent: Mapping[str, str], fields: Mapping[str, Any], mapping: ModuleMapping
) -> dict[str, None]:
    """Columns that hold a value of ours which is not chosen or mapped any more, to be cleared."""
    if mapping.withdrawn == "keep":
        return {}
    still = {theirs for ours, theirs in mapping.fields.items() if ours in fields}
    return dict.fromkeys(sent.keys() - still - {mapping.key_attribute})
