"""SQL on field choices: which fields of a module may leave over a connection."""

import json
from collections.abc import Sequence
from uuid import UUID

from tenantdb import TenantSession, array
from tenantdb.budget import Connection

_GET = """SELECT json_agg(c.field ORDER BY f.position)::text
    FROM field_choice c JOIN module_field f USING (module, field)
    WHERE c.connection = $1 AND c.module = $2"""
_DROP = """DELETE FROM field_choice
    WHERE connection = $1 AND module = $2 AND field <> ALL ($3::text::text[])"""
_ADD = """INSERT INTO field_choice (connection, module, field)
    SELECT $1, $2, unnest($3::text::text[]) ON CONFLICT DO NOTHING"""
_FORGET = "DELETE FROM field_choice WHERE connection = $1"


async def get(session: TenantSession, connection: UUID, module: str) -> list[str]:
    """The chosen fields in the order of the module's definition."""
    found = await session.fetchval(_GET, connection, module)
    fields: list[str] = json.loads(found or "[]")
    return fields


async def put(session: TenantSession, connection: UUID, module: str, fields: Sequence[str]) -> bool:
    """Make these the chosen fields; returns whether that changed anything."""
    chosen = array(fields)
    dropped = await session.execute(_DROP, connection, module, chosen)
    added = await session.execute(_ADD, connection, module, chosen)
    return (dropped, added) != ("DELETE 0", "INSERT 0 0")


async def forget(inside: TenantSession | Connection, connection: UUID) -> None:
    """Remove every choice of a connection that is gone."""
    await inside.execute(_FORGET, connection)
