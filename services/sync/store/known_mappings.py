"""Statements on what tenants has been told of connections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId
from kit.db import WriteSession

_TAKE = text("""
WITH due AS (
    SELECT c.id, c.tenant, c.state = 'removed' AS is_removed, c.modules, hashed.of AS digest
    FROM connection c
    LEFT JOIN known_mapping k ON k.connection = c.id
    CROSS JOIN LATERAL (
        SELECT CASE c.state WHEN 'removed' THEN 0
            ELSE hashtextextended(c.modules::text, 0) END AS of
    ) AS hashed
    WHERE CASE WHEN CAST(:only AS uuid) IS NULL
        THEN NOT c.suspended
            AND (k.connection IS NULL OR k.due_at <= now() OR k.told <> hashed.of)
        ELSE c.id = :only END
    ORDER BY k.due_at NULLS FIRST, c.id LIMIT :most
), taken AS (
    INSERT INTO known_mapping (connection, due_at)
    SELECT id, now() + make_interval(secs => :again_s) FROM due
    ON CONFLICT (connection) DO UPDATE SET told = NULL, due_at = excluded.due_at
)
SELECT * FROM due""")
_NOTE = text("""
UPDATE known_mapping SET told = :digest,
    due_at = CASE WHEN :is_removed THEN NULL ELSE now() + make_interval(secs => :repeat_s) END
WHERE connection = :id""")


@dataclass(frozen=True, slots=True)
class DueMapping:
    """A connection to tell of; `digest` is the hash of what is told."""

    id: ConnectionId
    tenant: TenantId
    is_removed: bool
    modules: Mapping[str, Mapping[str, Any]]
    digest: int


async def take(
    session: WriteSession, most: int, again_s: float, only: ConnectionId | None = None
) -> list[DueMapping]:
    """Connections that tenants does not know as they are, or was last told of long ago.

    They are due again after `again_s`, behind the others, unless `note` says that all went well.
    """
    found = {"most": most, "again_s": again_s, "only": only}
    return [DueMapping(**row) for row in await session.all(_TAKE, found)]


async def note(session: WriteSession, due: DueMapping, repeat_s: float) -> None:
    """Tenants knows this now. What has changed meanwhile differs from it, and is due at once."""
    found = {"id": due.id, "digest": due.digest, "is_removed": due.is_removed}
    await session.run(_NOTE, found | {"repeat_s": repeat_s})
