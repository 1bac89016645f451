"""Fingerprints of a tenant's tables: equal rows give equal counts and hashes, in any order.

The hash is PostgreSQL's own of whole records; values compare within one major version only.
"""

import re
from typing import Any, Protocol

from services.backup.vault.manifest import Fingerprint

NOT_COPIED = "journal"
"""The one table whose rows a full leaves out: a restored database begins a new journal."""

_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.relname <> $1
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2"""

_HASH = """
SELECT count(*)::text, coalesce(sum(h::numeric), 0)::text, coalesce(bit_xor(h), 0)::text
FROM (SELECT hash_record_extended(t.*, 0) AS h FROM {table} t) AS rows"""

_KEYS = """
SELECT n.nspname || '.' || c.relname AS name, a.attname AS column,
       format_type(a.atttypid, a.atttypmod) AS type
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE i.indisprimary AND n.nspname || '.' || c.relname = ANY($1::text::text[])
ORDER BY 1, k.place"""

_SEQUENCES = """
SELECT schemaname || '.' || sequencename AS name, last_value FROM pg_sequences ORDER BY 1"""


class Rows(Protocol):
    """A connection that reads, of one moment where it matters."""

    async def fetch(self, query: str, /, *args: object) -> list[Any]: ...
    async def fetchrow(self, query: str, /, *args: object) -> Any: ...


async def fingerprints(rows: Rows) -> dict[str, Fingerprint]:
    """Count, sum and exclusive-or of the row hashes of every table that a full copies."""
    result = {}
    for table in await rows.fetch(_TABLES, NOT_COPIED):
        row = await rows.fetchrow(_HASH.format(table=table["quoted"]))
        result[f"{table['schema']}.{table['name']}"] = (row[0], row[1], row[2])
    return result


async def row_counts(rows: Rows) -> dict[str, int]:
    """Number of rows of every table that a full copies."""
    result = {}
    for table in await rows.fetch(_TABLES, NOT_COPIED):
        row = await rows.fetchrow(f"SELECT count(*) FROM {table['quoted']}")  # noqa: S608  # quoted by format('%I')
        result[f"{table['schema']}.{table['name']}"] = int(row[0])
    return result


async def primary_keys(rows: Rows, tables: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Columns and types of each table's primary key, in key order."""
    quoted = ",".join('"' + re.sub(r'([\\"])', r"\\\1", name) + '"' for name in tables)
    result: dict[str, list[tuple[str, str]]] = {}
    for row in await rows.fetch(_KEYS, "{" + quoted + "}"):
        result.setdefault(row["name"], []).append((row["column"], row["type"]))
    return result


async def sequences(rows: Rows) -> list[tuple[str, int | None, bool]]:
    """Name, last value and whether it was handed out, of every sequence."""
    return [
        (row["name"], row["last_value"], row["last_value"] is not None)
        for row in await rows.fetch(_SEQUENCES)
    ]


def differing(then: dict[str, Fingerprint], now: dict[str, Fingerprint]) -> list[str]:
    """The tables that are not the same on both sides."""
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
