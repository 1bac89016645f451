"""One statement for any number of rows: lock what exists, merge, insert the rest, skip the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.tenants.records.placeholders import Binds
from tenantdb import TenantSession, array

_UPSERT = """WITH incoming AS MATERIALIZED (
    SELECT key, fields FROM jsonb_to_recordset($2::text::jsonb) AS x (key text, fields jsonb)
), existing AS MATERIALIZED (
    SELECT r.id, r.key, r.data, jsonb_strip_nulls(r.data || i.fields) AS merged,
        coalesce({condition}, false) AS is_within
    FROM incoming i JOIN record r ON r.module = $1::text AND r.key = i.key
    ORDER BY r.key FOR UPDATE OF r
), fresh AS MATERIALIZED (
    SELECT i.key, i.fields, i.fields ?& $3::text::text[] AS is_complete FROM incoming i
    WHERE i.key IS NULL OR NOT EXISTS (SELECT FROM existing e WHERE e.key = i.key)
), changed AS (
    UPDATE record r SET version = r.version + 1, updated_at = now(),
        data = e.merged
    FROM existing e
    WHERE r.id = e.id AND e.is_within AND e.data IS DISTINCT FROM e.merged RETURNING 1
), created AS (
    INSERT INTO record (id, module, key, data, responsible)
    SELECT uuidv7(), $1::text, key, jsonb_strip_nulls(fields), $4::text::uuid FROM fresh
    WHERE is_complete ORDER BY key
    ON CONFLICT (module, key) DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM created) AS created,
    (SELECT count(*) FROM changed) AS changed,
    (SELECT count(*) FROM existing WHERE is_within) AS reached,
    (SELECT count(*) FROM fresh WHERE is_complete) AS fresh,
    (SELECT coalesce(json_agg(key), '[]') FROM existing WHERE NOT is_within)::text AS hidden,
    (SELECT coalesce(json_agg(key), '[]') FROM fresh WHERE NOT is_complete)::text AS incomplete"""


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did; `hidden` and `incomplete` are keys that it left alone.

    hidden: a record with this key is beyond the caller's scope; incomplete: there is no record
    with this key, and a new one lacks required fields; raced: rows for which another transaction
    was creating a record at this moment.
    """

    created: int
    updated: int
    unchanged: int
    raced: int
    hidden: list[str]
    incomplete: list[str]


def binds_for(module: str, rows: str, required: Sequence[str], user: UUID) -> Binds:
    """The arguments of `upsert`, before those of the condition on `record r`.

    `rows` is a JSON array of objects {key, fields}; `user` becomes responsible for new records.
    """
    return Binds(module, rows, array(required), str(user))


async def upsert(session: TenantSession, condition: str, binds: Binds) -> Upserted:
    """Merge rows into the module by key; rows without a key become new records."""
    row = await session.fetchrow(_UPSERT.format(condition=condition), *binds.values)
    assert row is not None
    return Upserted(
        created=row["created"],
        updated=row["changed"],
        unchanged=row["reached"] - row["changed"],
        raced=row["fresh"] - row["created"],
        hidden=json.loads(row["hidden"]),
        incomplete=json.loads(row["incomplete"]),
    )
