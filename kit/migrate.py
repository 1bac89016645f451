"""Migrations as plain SQL files: each in one transaction, once, in order, under one lock.

Files are named NNN_pre_words.sql (safe before the new code runs) or NNN_post_words.sql (after the
old code is gone). A line `-- include kit/outbox 001` is replaced by the text of the step with that
number, kit/outbox/001_*.sql: what a service has taken stays as it is, whatever comes after it.
"""

import hashlib
import re
from pathlib import Path
from typing import Literal

import asyncpg

from kit import logs
from kit.ending import Unusable
from kit.locks import lock

_NAME = re.compile(r"^\d{3}_(pre|post)_[a-z0-9_]+\.sql$")
_INCLUDE = re.compile(r"^-- include\b(?: kit/([a-z_]+) (\d{3})$)?", re.MULTILINE)
_KIT = Path(__file__).parent
_LOCK = lock("bulk")  # one migration at a time in a database
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""
_log = logs.get(__name__)

Phase = Literal["pre", "post", "all"]


class MigrationChanged(Unusable):
    """A file that has been applied differs from what was applied: write a new one instead."""


def files(directory: Path, phase: Phase = "all") -> list[Path]:
    """The migrations of a directory in order; raises ValueError for a name that is not one, and
    where there are none at all: an empty schema must never pass for the newest."""
    found = sorted(directory.glob("*.sql"))
    if not found:
        raise ValueError(f"no migrations in {directory.name}")
    for path in found:
        if not _NAME.match(path.name):
            raise ValueError(f"not a migration's name: {path.name}")
    return [path for path in found if phase == "all" or f"_{phase}_" in path.name[:9]]


def read(path: Path) -> str:
    """The SQL of a migration with its includes; ValueError for one that names no step."""
    return _INCLUDE.sub(lambda found: _step(path, found[1], found[2]), path.read_text())


def includes(path: Path) -> list[tuple[str, str]]:
    """Which steps of the kit a migration takes: folder and number."""
    return _INCLUDE.findall(path.read_text())


def _step(path: Path, folder: str | None, number: str | None) -> str:
    steps = list((_KIT / folder).glob(f"{number}_*.sql")) if folder else []
    if len(steps) != 1:
        raise ValueError(f"{path.name}: an include names one step, like kit/outbox 001")
    return steps[0].read_text()


async def migrate(
    url: str,
    directory: Path,
    *,
    phase: Phase = "all",
    lock_timeout_s: float = 5.0,
    statement_timeout_s: float = 300.0,
) -> list[str]:
    """Apply what is missing and return the applied names. Raises MigrationChanged."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        return await apply(connection, files(directory, phase), lock_timeout_s, statement_timeout_s)
    finally:
        await connection.close()


async def apply(
    connection: "asyncpg.Connection[asyncpg.Record]",
    paths: list[Path],
    lock_timeout_s: float = 5.0,
    statement_timeout_s: float = 300.0,
) -> list[str]:
    """Apply the files that this connection's database has not yet; each in its own transaction."""
    await connection.execute(_LEDGER)
    rows = await connection.fetch("SELECT name, sha256 FROM schema_migration")
    known = {row["name"]: row["sha256"] for row in rows}
    applied = []
    for path in paths:
        sql = read(path)
        digest = hashlib.sha256(sql.encode()).hexdigest()
        if path.name in known:
            if known[path.name] != digest:
                raise MigrationChanged(f"{path.name} differs from what was applied")
            continue
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {int(lock_timeout_s * 1000)}")
            await connection.execute(
                f"SET LOCAL statement_timeout = {int(statement_timeout_s * 1000)}"
            )
            await connection.execute(sql)
            await connection.execute(
                "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)", path.name, digest
            )
        _log.info("migration applied", migration=path.name)
        applied.append(path.name)
    return applied
