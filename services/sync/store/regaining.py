"""Statements by which a row of the CRM changes its owner, by its id there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Executable,
    Text,
    Uuid,
    and_,
    bindparam,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from contracts.ids import ConnectionId, new_id
from kit.db import ReadSession, WriteSession
from services.sync.store.arrays import Types, among, arrays_of, given_rows
from services.sync.store.left_rows import LeftRow
from services.sync.store.outgoing import AGAIN
from services.sync.tables import outgoing

NOBODY = UUID(int=0)
_DISPOSSESS = text("""
WITH lost AS (
    SELECT outgoing.record, outgoing.crm_id, outgoing.sent
    FROM outgoing JOIN unnest(:crm_ids, :records) AS given (crm_id, record)
        ON outgoing.crm_id = given.crm_id AND outgoing.record <> given.record
    WHERE outgoing.connection = :of
    ORDER BY outgoing.record
    FOR UPDATE OF outgoing
), cleared AS (
    UPDATE outgoing SET crm_key = NULL, crm_id = NULL, is_inactive = false, sent = '{}'
    FROM lost WHERE outgoing.connection = :of AND outgoing.record = lost.record
)
SELECT record, crm_id, ARRAY(SELECT jsonb_object_keys(sent)) AS columns FROM lost""").bindparams(
    bindparam("of", type_=Uuid()),
    bindparam("crm_ids", type_=ARRAY(Text)),
    bindparam("records", type_=ARRAY(Uuid)),
)
_REGAINED: Types = {
    "record": Uuid(),
    "module": Text(),
    "key": Text(),
    "crm_id": Text(),
    "sent": JSONB(),
}


_UNKNOWN: Types = {"record": Uuid(), "sent": JSONB()}


@dataclass(frozen=True, slots=True)
class Unknown:
    """What nobody knows of a record's row: columns into which others have sent."""

    record: UUID
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dispossessed:
    """A record that has lost its row of the CRM, and what it had sent into it."""

    record: UUID
    crm_id: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Regained:
    """A row of the CRM for a record; `sent` is what nobody knows of it any more."""

    record: UUID
    module: str
    key: str
    crm_id: str
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReturnedRow:
    """A row that is there again, and its key as it is now."""

    row: LeftRow
    key: str

    def of(self, record: UUID) -> Regained:
        sent = dict.fromkeys(self.row.columns, "")
        return Regained(record, self.row.module, self.key, self.row.crm_id, sent)


async def dispossess(
    session: WriteSession, connection: ConnectionId, gained: Mapping[str, UUID]
) -> list[Dispossessed]:
    """These rows of the CRM, by id, are these records' now, and nobody else's."""
    given = {"crm_ids": list(gained), "records": list(gained.values())}
    rows = await session.all(_DISPOSSESS, {"of": connection} | given)
    return [Dispossessed(**row) for row in rows]


async def forget_values(
    session: WriteSession, connection: ConnectionId, rows: Sequence[Unknown]
) -> None:
    """Nobody knows what these columns hold."""
    if rows:
        await session.run(_FORGET, {"of": connection} | arrays_of(rows, _UNKNOWN))


async def owners(
    session: ReadSession, connection: ConnectionId, crm_ids: Sequence[str]
) -> dict[str, str | None]:
    """The keys that we believe these rows to have, by id, of those that have an owner."""
    query = select(outgoing.c.crm_id, outgoing.c.crm_key).where(
        outgoing.c.connection == connection, among(outgoing.c.crm_id, crm_ids)
    )
    return {row["crm_id"]: row["crm_key"] for row in await session.all(query)}


async def claimed(
    session: ReadSession, connection: ConnectionId, module: str, keys: Sequence[str]
) -> set[str]:
    """Those of these keys whose row a record owns, or will own once it is sent: one that has
    another row cannot have this one besides."""
    of_module = (outgoing.c.connection == connection, outgoing.c.module == module)
    has_row = outgoing.c.state.not_in(("removed", "empty"))
    is_new = outgoing.c.crm_id.is_(None)
    having = select(outgoing.c.same_key).where(among(outgoing.c.same_key, keys), has_row, is_new)
    owning = select(outgoing.c.crm_key).where(among(outgoing.c.crm_key, keys))
    rows = await session.all(union_all(having.where(*of_module), owning.where(*of_module)))
    return {row["same_key"] for row in rows}


async def regain(
    session: WriteSession, connection: ConnectionId, rows: Sequence[ReturnedRow]
) -> None:
    """Each is its record's again, where that has no other one; else that of a record which never
    was: both are due, and the second is found to be gone."""
    own = {one.row.record: one.of(one.row.record) for one in rows}
    having = await _regain(session, connection, list(own.values()))
    others = [one.of(new_id()) for one in rows if one.row.crm_id not in having]
    await _regain(session, connection, others)


async def _regain(
    session: WriteSession, connection: ConnectionId, given: Sequence[Regained]
) -> set[str]:
    if not given:
        return set()
    rows = await session.all(_REGAIN, {"of": connection} | arrays_of(given, _REGAINED))
    return {row["crm_id"] for row in rows}


def _regaining() -> Executable:
    given = given_rows(_REGAINED).c
    own: dict[str, Any] = {
        "connection": bindparam("of", type_=Uuid()),
        "state": literal("pending"),
        "same_key": given.key,
        "crm_key": given.key,
        **{name: given[name] for name in _REGAINED},
    }
    made = insert(outgoing).from_select(
        list(own), select(*(value.label(f"its_{name}") for name, value in own.items()))
    )
    known = {name: made.excluded[name] for name in ("crm_key", "crm_id", "sent")}
    return made.on_conflict_do_update(
        index_elements=["connection", "record"],
        set_={**AGAIN, **known, "is_inactive": False},
        where=and_(
            outgoing.c.module == made.excluded.module,
            outgoing.c.crm_key.is_(None),
            outgoing.c.crm_id.is_(None),
        ),
    ).returning(outgoing.c.crm_id)


def _forgetting() -> Executable:
    given = given_rows(_UNKNOWN).c
    where = (outgoing.c.connection == bindparam("of"), outgoing.c.record == given.record)
    return update(outgoing).where(*where).values(sent=outgoing.c.sent.concat(given.sent))


_REGAIN, _FORGET = _regaining(), _forgetting()
