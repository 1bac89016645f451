"""SQL on what connections map."""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from tenantdb import TenantSession
from tenantdb.budget import Connection

_GET = "SELECT modules::text FROM connection_mapping WHERE connection = $1"
_PUT = """INSERT INTO connection_mapping (connection, modules) VALUES ($1, $2::text::jsonb)
    ON CONFLICT (connection) DO UPDATE SET modules = excluded.modules
    WHERE connection_mapping.modules <> excluded.modules"""
_FORGET = "DELETE FROM connection_mapping WHERE connection = $1"


async def get(session: TenantSession, connection: UUID) -> Mapping[str, Sequence[str]] | None:
    """Fields by module; None where the connection is not known."""
    found = await session.fetchval(_GET, connection)
    if found is None:
        return None
    modules: Mapping[str, Sequence[str]] = json.loads(found)
    return modules


async def put(
    session: TenantSession, connection: UUID, modules: Mapping[str, Sequence[str]]
) -> bool:
    """Save what a connection maps; returns whether it is something else than before."""
    text = json.dumps({name: sorted(set(fields)) for name, fields in modules.items()})
    return await session.execute(_PUT, connection, text) == "INSERT 0 1"


async def forget(inside: TenantSession | Connection, connection: UUID) -> None:
    await inside.execute(_FORGET, connection)
