"""What is written down of each row after the CRM has answered for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.sync.connection import Connection, Missing
from services.sync.crm import Meaning, Verdict
from services.sync.push.patience import parked, unaccepted
from services.sync.push.plan import Item
from services.sync.settings import SyncSettings
from services.sync.store.outgoing import DueRow
from services.sync.store.settling import Settlement
from services.sync.tenant_keys import TenantKeys

REMOVED = "the record is gone, and so is its row in the CRM"
DEACTIVATED = "the record is gone; its row in the CRM is deactivated"
DELETED_THERE = "its row was deleted in the CRM"
FORGOTTEN = "its row was deleted in the CRM and is not made again, as the connection says"
TAKEN = "another row of the CRM has this key"
_REFUSED = (Meaning.REJECTED, Meaning.TAKEN, Meaning.RACED)  # for certain: nothing was written


@dataclass(frozen=True)
class Settler:
    """`missing` says what becomes of a record whose row was deleted in the CRM."""

    keyring: TenantKeys
    connection: Connection
    missing: Missing
    settings: SyncSettings

    async def settlement(self, item: Item, verdict: Verdict, now: datetime) -> Settlement:
        """The new state of the item's row."""
        found = await self._settlement(item, verdict, now)
        return found if verdict.is_unsure else ended(item, found)

    async def _settlement(self, item: Item, verdict: Verdict, now: datetime) -> Settlement:
        removing = item.write.form in ("delete", "deactivate")
        if verdict.meaning is Meaning.OK:
            return _removed(item, now) if removing else _accepted(item, verdict, now)
        if verdict.meaning is Meaning.GONE:
            return _removed(item, now, is_gone=True) if removing else self._missing(item, now)
        found = await self._unaccepted(item, verdict, now)
        # whoever owned no row before owns none: one with its key, if there is one, is another's
        was_refused = verdict.meaning in _REFUSED and item.row.crm_key is None
        return replace(found, owns=True) if was_refused else found

    async def _unaccepted(self, item: Item, verdict: Verdict, now: datetime) -> Settlement:
        detail = await self._sealed(item, verdict.detail)
        if verdict.meaning is Meaning.TAKEN:
            return parked(item.row, now, TAKEN, "key-taken", detail)
        most, backoff_s = self.settings.max_attempts, self.settings.backoff_s
        return unaccepted(item.row, verdict, now, detail, most, backoff_s)

    def _missing(self, item: Item, now: datetime) -> Settlement:
        """The policy is for records' own rows: what an heir found gone was another record's."""
        if item.row.recreates or item.heir_of or self.missing == "recreate":
            return made_again(item, now)
        if self.missing == "park":
            return parked(item.row, now, DELETED_THERE, "row-deleted")
        return Settlement(item.record, "removed", now, reason=FORGOTTEN, code="row-deleted")

    async def _sealed(self, item: Item, text: str) -> bytes | None:
        if not text:
            return None
        version, sealed = await self.keyring.seal(
            self.connection.tenant, self.connection.id, f"detail {item.record}", text
        )
        return version.to_bytes(4, "big") + sealed


def _accepted(item: Item, verdict: Verdict, now: datetime) -> Settlement:
    id_ = verdict.crm_id or item.row.crm_id
    return Settlement(
        item.record,
        "pending" if item.steps_aside else "ok",
        now,
        sent=item.hashes,
        owns=True,
        crm_key=item.same_key,
        crm_id=id_,
    )


def ended(item: Item, settlement: Settlement) -> Settlement:
    """With the end of the item's call, which is known; what was in doubt before it still is."""
    return replace(settlement, left_at=item.left_at, doubted_at=item.row.doubted_at)


def made_again(item: Item, now: datetime) -> Settlement:
    """Its row is not there any more: it is a new one, and stays due."""
    return Settlement(item.record, "pending", now, reason=DELETED_THERE, owns=True)


def sought_again(item: Item, crm_id: str | None, now: datetime) -> Settlement:
    """It has the row that was found by its old key, or owns none; it stays due."""
    crm_key = None if crm_id is None else item.row.crm_key
    found = Settlement(item.record, "pending", now, owns=True, crm_key=crm_key, crm_id=crm_id)
    return ended(item, found)


def not_there(item: Item, now: datetime) -> Settlement:
    """Its row was to go away, and is not there under its key."""
    return ended(item, _removed(item, now, is_gone=True))


def _removed(item: Item, now: datetime, *, is_gone: bool = False) -> Settlement:
    if item.write.form == "delete" or is_gone:
        return Settlement(item.record, "removed", now, reason=REMOVED, code="gone", owns=True)
    row = item.row
    return Settlement(
        item.record,
        "removed",
        now,
        reason=DEACTIVATED,
        code="gone",
        owns=True,
        crm_key=row.crm_key,
        crm_id=item.write.crm_id,
        is_inactive=True,
    )


def keys_left(rows: Mapping[UUID, DueRow], settled: Iterable[Settlement]) -> list[str]:
    """Keys that other records may have had to wait for: of rows that are gone, or have another, and
    of records that have nothing to send."""
    left = set[str]()
    for one in settled:
        row = rows[one.record]
        if one.state in ("removed", "empty"):
            left |= {key for key in (row.same_key, row.crm_key) if key is not None}
        elif one.owns and row.crm_key is not None and row.crm_key != one.crm_key:
            left.add(row.crm_key)
    return sorted(left)
