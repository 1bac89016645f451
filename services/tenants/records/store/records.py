"""SQL on records: PostgreSQL makes the JSON, every value is bound, one statement a deed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from asyncpg import Record, UniqueViolationError

from contracts.access import RecordFacts
from contracts.ids import TenantId
from services.tenants.records.placeholders import Binds
from services.tenants.records.sortable import Sortable
from tenantdb import TenantDatabases, TenantSession


def _time(column: str) -> str:
    """The form of contracts.schema.Time."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_JSON = f"""json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'fields', r.data,
    'version', r.version, 'responsible', r.responsible,
    'second_responsible', r.second_responsible, 'team', r.team, 'territory', r.territory,
    'created_at', {_time("r.created_at")}, 'updated_at', {_time("r.updated_at")})::text AS json"""
_FACTS = "r.responsible, r.second_responsible, r.team, r.territory"
# Versions repeat after a restore, which begins another chain: a tag of the old history never fits.
_CHAIN = "(SELECT left(chain::text, 8) FROM public.tenant_identity) AS chain"
_ONE = f"{_JSON}, r.id, r.version, {_CHAIN}, {_FACTS}"

_GET = f"SELECT {_ONE} FROM record r WHERE r.module = $1 AND r.id = $2"  # noqa: S608 - constants
_LOCK = f"""SELECT {_ONE}, r.key, r.data::text AS data FROM record r
    WHERE r.module = $1 AND r.id = $2 FOR UPDATE"""  # noqa: S608 - constants
_INSERT = f"""INSERT INTO record AS r
    (id, module, key, data, responsible, second_responsible, team, territory)
    VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, $7, $8)
    ON CONFLICT (module, key) DO NOTHING RETURNING {_ONE}"""  # noqa: S608 - constants
_UPDATE = f"""UPDATE record AS r SET version = r.version + 1, updated_at = now(), key = $2,
    data = $3::text::jsonb, responsible = $4, second_responsible = $5, team = $6, territory = $7
    WHERE r.id = $1 RETURNING {_ONE}"""  # noqa: S608 - constants


class KeyTaken(Exception):
    """Another record of the module has this key."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it stands: its JSON, entity tag and the facts that access depends on."""

    id: UUID
    etag: str
    facts: RecordFacts
    json: str


@dataclass(frozen=True, slots=True)
class Locked:
    """A record that this transaction may change."""

    stored: StoredRecord
    key: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A record of a list, with the texts of what the list is sorted by, in that order."""

    id: UUID
    json: str
    keys: tuple[str | None, ...]


async def get(
    databases: TenantDatabases, tenant: TenantId, module: str, record: UUID
) -> StoredRecord | None:
    """In one round trip: the most frequent read of all."""
    row = await databases.read_row(tenant, _GET, module, record)
    return None if row is None else _stored(row)


async def lock(session: TenantSession, module: str, record: UUID) -> Locked | None:
    row = await session.fetchrow(_LOCK, module, record)
    return None if row is None else Locked(_stored(row), row["key"], json.loads(row["data"]))


async def insert(
    session: TenantSession,
    record: UUID,
    module: str,
    key: str | None,
    fields: Mapping[str, object],
    facts: RecordFacts,
) -> StoredRecord:
    """Raises KeyTaken."""
    row = await session.fetchrow(
        _INSERT, record, module, key, json.dumps(fields), *_facts_in_order(facts)
    )
    if row is None:
        raise KeyTaken
    return _stored(row)


async def update(
    session: TenantSession,
    record: UUID,
    key: str | None,
    fields: Mapping[str, object],
    facts: RecordFacts,
) -> StoredRecord:
    """Raises KeyTaken."""
    try:
        row = await session.fetchrow(
            _UPDATE, record, key, json.dumps(fields), *_facts_in_order(facts)
        )
    except UniqueViolationError:
        raise KeyTaken from None
    assert row is not None
    return _stored(row)


async def delete(session: TenantSession, record: UUID) -> None:
    await session.execute("DELETE FROM record WHERE id = $1", record)


async def delete_many(
    session: TenantSession, module: str, ids: Sequence[UUID], condition: str, binds: Binds
) -> set[UUID]:
    """Delete what the condition reaches; returns the ids that are gone. $1 is the module."""
    rows = await session.fetch(
        f"""DELETE FROM record r WHERE r.module = $1::text
            AND r.id = ANY ({binds.add_array(ids, "uuid")}) AND {condition}
            RETURNING r.id""",  # noqa: S608 - the condition is made of constants and placeholders
        *binds.values,
    )
    return {row["id"] for row in rows}


async def page(
    session: TenantSession,
    conditions: Sequence[str],
    order: Sequence[str],
    keys: Sequence[tuple[Sortable, str]],
    binds: Binds,
    limit: int,
) -> list[ListedRecord]:
    """Up to `limit` records in this order."""
    shown = "".join(
        f", {_as_text(column, expression)} AS key_{index}"
        for index, (column, expression) in enumerate(keys)
    )
    rows = await session.fetch(
        f"""SELECT r.id, {_JSON}{shown} FROM record r
            WHERE r.module = $1::text AND {" AND ".join(conditions) or "true"}
            ORDER BY {", ".join([*order, "r.id"])} LIMIT {limit:d}""",  # noqa: S608 - see delete_many
        *binds.values,
    )
    return [ListedRecord(row["id"], row["json"], tuple(row)[2:]) for row in rows]


def _as_text(column: Sortable, expression: str) -> str:
    """The text that column.accepts and column.value take back."""
    if column.sql_type == "timestamptz":
        return f"to_json({expression}) #>> '{{}}'"
    return f"({expression})::text"


def _stored(row: Record) -> StoredRecord:
    facts = RecordFacts(
        row["responsible"], row["second_responsible"], row["team"], row["territory"]
    )
    etag = f'"{row["chain"]}-{row["version"]}"'
    return StoredRecord(row["id"], etag, facts, cast(str, row["json"]))


def _facts_in_order(facts: RecordFacts) -> tuple[UUID | None, ...]:
    return facts.responsible, facts.second_responsible, facts.team, facts.territory
