"""The template that tenant databases are copied from, and bringing existing ones up to it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from kit import locks, migrate
from tenantdb.budget import Connection
from tenantdb.cluster import Cluster

EMPTY = "bulkhead_empty"
TEMPLATE = "bulkhead_template"
TEMPLATE_OWNER = "bulkhead_template_owner"
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = locks.lock("temp")  # one builder of the template at a time


async def build(cluster: Cluster) -> list[str]:
    """Make the template or bring it up to date; returns the migrations that were applied."""
    async with cluster.admin() as admin:
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _make(admin)
        async with _opened(admin), cluster.connected(TEMPLATE) as connection:
            await connection.execute(
                f"GRANT USAGE, CREATE ON SCHEMA public TO {TEMPLATE_OWNER};"
                f"SET ROLE {TEMPLATE_OWNER}"
            )
            return await migrate.apply(connection, migrate.files(MIGRATIONS))


async def upgrade(cluster: Cluster, database: str, owner: str) -> list[str]:
    """Apply to a tenant's database what the template has and it has not."""
    async with cluster.connected(database, owner) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute("SELECT set_config('app.actor', 'service:migration', false)")
        return await migrate.apply(connection, migrate.files(MIGRATIONS))


def version() -> int:
    """The number of the newest migration: what this code needs of a tenant's database."""
    return max(int(path.name[:3]) for path in migrate.files(MIGRATIONS))


async def version_of(cluster: Cluster, database: str, owner: str) -> int:
    """The number of the newest migration that a tenant's database has."""
    async with cluster.connected(database, owner) as connection:
        newest: str = await connection.fetchval("SELECT max(name) FROM schema_migration")
    return int(newest[:3])


async def lock(connection: Connection) -> None:
    """One at a time may change rights and identity in this database, until the commit."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def _make(admin: Connection) -> None:
    with contextlib.suppress(asyncpg.DuplicateObjectError):
        await admin.execute(f"CREATE ROLE {TEMPLATE_OWNER} NOLOGIN")
    await admin.execute(f"GRANT {TEMPLATE_OWNER} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE")
    if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", TEMPLATE):
        await admin.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE {EMPTY} STRATEGY wal_log")
    await admin.execute(f"REVOKE ALL ON DATABASE {TEMPLATE} FROM PUBLIC")


@contextlib.asynccontextmanager
async def _opened(admin: Connection) -> AsyncIterator[None]:
    """The template takes connections only while it is built: copying needs it free of them."""
    await admin.execute(f"ALTER DATABASE {TEMPLATE} WITH ALLOW_CONNECTIONS true")
    try:
        yield
    finally:
        await admin.execute(
            f"ALTER DATABASE {TEMPLATE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
        )
