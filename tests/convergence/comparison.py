"""What is different between both sides, by the CRM's own equality and the connection's policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from sandbox.dataverse.collation import folded
from tests.convergence.their_side import TABLES
from tests.convergence.world import World

Row = Mapping[str, Any]
_OUTGOING = text(
    "SELECT record, module, key, state, code, reason, same_key, crm_key, crm_id, sent, attempts,"
    " recreates, marked FROM outgoing WHERE connection = :connection"
)
_LEFT = text("SELECT * FROM left_row WHERE connection = :connection")
_WAITING = ("pending", "retry")
_IDS = {"accounts": "accountid", "contacts": "contactid"}


@dataclass(frozen=True)
class Both:
    """One module of both sides: what sync knows of each record, and the CRM's rows by key."""

    world: World
    module: str
    table: str
    known: Mapping[UUID, Row]
    rows: Mapping[str, Row]

    def differences(self) -> list[str]:
        found = [f"{one['key']}: {one['state']} still" for one in self._present if _waits(one)]
        missing = [one["key"] for one in self.records.values() if one["id"] not in self.known]
        found += [f"{key}: never looked at" for key in missing]
        for one in self._present:
            found += self._of_record(one)
        owned = {one["crm_key"] for one in self.known.values() if self._may_own(one)}
        # a row with the key of a record that waits for its parent will be that record's
        owned |= {one["same_key"] for one in self._present if one["code"] == "reference-missing"}
        return found + [
            f"{row[TABLES[self.table]]}: a row that is nobody's"
            for key, row in self.rows.items()
            if key not in owned and not self._may_stay(row)
        ]

    @property
    def records(self) -> dict[UUID, Any]:
        everything = self.world.peer.records.items()
        return {id_: one for id_, one in everything if one["module"] == self.module}

    @property
    def _present(self) -> list[Row]:
        return [one for record, one in self.known.items() if record in self.records]

    def _of_record(self, one: Row) -> list[str]:
        key, code = one["key"], one["code"]
        row = self.rows.get(folded(key))
        wanted = self._wanted(one["record"])
        match one["state"]:
            case "ok":
                return self._of_row(one, wanted)
            case "empty":
                filled = {name: value for name, value in wanted.items() if value is not None}
                return [f"{key}: empty in spite of {filled}"] if filled else []
            case "parked" if code == "key-taken":
                is_had = row is not None or self._is_awaited(key)
                return [] if is_had else [f"{key}: parked, but nobody has its key"]
            case "parked" if code == "reference-missing" and self._lacks_parent(one["record"]):
                return []
            case "pending" | "retry":
                return []
        return [f"{key}: {one['state']} {code} {one['reason']}"]

    def _of_row(self, one: Row, wanted: Row) -> list[str]:
        row = self.rows.get(folded(one["key"]))
        if row is None:
            return [f"{one['key']}: no row for {dict(wanted)}"]
        has = {name: row.get(name) for name in wanted}
        found = [f"{one['key']}: {has} in place of {dict(wanted)}"] if has != wanted else []
        before, now = self.world.ids.get(one["record"]), str(row[_IDS[self.table]])
        if one["crm_id"] not in (None, now):
            found.append(f"{one['key']}: believed to be {one['crm_id']}, is {now}")
        if before not in (None, now, *self.world.lost):
            found.append(f"{one['key']}: was the row {before}, is {now}")
        return found

    def _wanted(self, record: UUID) -> dict[str, Any]:
        """What the columns have to hold; an empty text is nothing there."""
        chosen = self.world.peer.choice[self.module]
        fields, columns = self.records[record]["fields"], self.world.columns(self.module)
        wanted = {columns[name]: fields.get(name) or None for name in chosen}
        if parent := wanted.get("parentcustomerid"):
            wanted["parentcustomerid"] = self._parents().get(parent, "a row that is not there")
        if self.world.policies.withdrawn == "clear":
            wanted |= {columns[name]: None for name in columns if name not in chosen}
        return wanted

    def _is_awaited(self, key: str) -> bool:
        """By an older record that only waits for what it refers to."""
        return any(
            one["code"] == "reference-missing" and folded(one["key"]) == folded(key)
            for one in self._present
        )

    def _lacks_parent(self, record: UUID) -> bool:
        """Who refers to what the CRM does not have waits for it; whether it should be there, the
        comparison of its own module says."""
        return self.records[record]["fields"].get("employer") not in self._parents()

    def _parents(self) -> dict[str, Any]:
        crm = self.world.crm
        return {row[crm.KEY]: row["accountid"] for row in crm.records()}

    def _may_own(self, one: Row) -> bool:
        """Whose row is allowed to be there: present records', and those that cannot have their new
        key, whose old row stays as it is."""
        return one["record"] in self.records and one["state"] in ("ok", "parked", *_WAITING)

    def _may_stay(self, row: Row) -> bool:
        """The row of a record that is gone, by policy, and what another writer has made."""
        if row[_IDS[self.table]] in self.world.foreign:
            return True
        match self.world.policies.deletions:
            case "keep":
                return row[TABLES[self.table]] in self.world.keys
            case "deactivate":
                return bool(row["statecode"] == 1)
        return False


def _waits(one: Row) -> bool:
    return one["state"] in _WAITING


async def both(world: World) -> list[Both]:
    async with world.sync.parts.db.read() as session:
        known = await session.all(_OUTGOING, {"connection": world.connection})
        left = await session.all(_LEFT, {"connection": world.connection})
    world.foreign -= {row["crm_id"] for row in (*known, *left)}  # a record of ours has had them
    found = []
    for module, mapping in world.mappings.items():
        table = mapping["table"]
        key = TABLES[table]
        rows = {folded(row[key]): row for row in world.crm.rows(table) if row.get(key)}
        mine = {one["record"]: dict(one) for one in known if one["module"] == module}
        found.append(Both(world, module, table, mine, rows))
    return found


async def differences(world: World) -> list[str]:
    """Sentences; none: both sides are equal."""
    return [line for one in await both(world) for line in one.differences()]


async def about(world: World, keys: set[str]) -> list[str]:
    """All that both sides know of these keys, for whoever has to find out why they differ."""
    meant, told = {folded(key) for key in keys}, list[str]()
    for one in await both(world):
        theirs = [row for key, row in one.rows.items() if key in meant]
        ids = {row[_IDS[one.table]] for row in theirs}
        told += [f"theirs: {row}" for row in theirs]
        told += [
            f"sync: {dict(row)}"
            for row in one.known.values()
            if not meant.isdisjoint({row["same_key"], row["crm_key"]}) or row["crm_id"] in ids
        ]
        told += [f"ours: {row}" for row in one.records.values() if folded(row["key"]) in meant]
    async with world.sync.parts.db.read() as session:
        left = await session.all(_LEFT, {"connection": world.connection})
    return told + [f"left: {dict(row)}" for row in left if row["same_key"] in meant]


async def note_ids(world: World) -> None:
    """Which row each record has, while all is calm."""
    for one in await both(world):
        for record, known in one.known.items():
            if known["state"] == "ok" and known["crm_id"]:
                world.ids[record] = known["crm_id"]
            else:
                world.ids.pop(record, None)
