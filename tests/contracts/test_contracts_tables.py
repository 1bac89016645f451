"""The tables in the code are those that the migrations make."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql

import gateway.tables
import services.auth.tables
import services.backup.tables
import services.sync.tables
import services.tenants.databases.tables

_COLUMNS = """
SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS required
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
  AND NOT a.attisdropped
  AND c.relname NOT IN ('outbox', 'inbox', 'key_proof', 'schema_migration')"""


_TABLES = {
    "auth": services.auth.tables.metadata,
    "backup": services.backup.tables.metadata,
    "gateway": gateway.tables.metadata,
    "sync": services.sync.tables.metadata,
    "tenants": services.tenants.databases.tables.metadata,
}


@pytest.mark.parametrize(("name", "metadata"), _TABLES.items(), ids=_TABLES)
async def test_the_tables_are_the_sum_of_the_migrations(
    name: str, metadata: MetaData, service_db: Callable[[str], Awaitable[str]]
) -> None:
    connection = await asyncpg.connect(await service_db(name), timeout=10)
    rows: list[Any] = await connection.fetch(_COLUMNS)
    await connection.close()
    dialect = postgresql.dialect()
    declared = {
        (table.name, column.name, column.type.compile(dialect).lower(), not column.nullable)
        for table in metadata.tables.values()
        for column in table.columns
    }
    assert {(row["table"], row["column"], row["type"], row["required"]) for row in rows} == declared
