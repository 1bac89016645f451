"""The tables that the code believes in are those that the migrations make."""

from sqlalchemy import text

from kit.db import Database
from services.sync.tables import metadata

_COLUMNS = text(
    "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
    " WHERE table_schema = 'public'"
)
_KIT = {"outbox", "inbox", "key_proof", "schema_migration"}


async def test_the_tables_equal_the_migrations(sync_url: str) -> None:
    db = Database(sync_url)
    async with db.read() as session:
        rows = await session.all(_COLUMNS)
    await db.close()
    found = {
        (row["table_name"], row["column_name"], row["is_nullable"] == "YES")
        for row in rows
        if row["table_name"] not in _KIT
    }
    believed = {
        (table.name, column.name, bool(column.nullable))
        for table in metadata.tables.values()
        for column in table.columns
    }
    assert found == believed
