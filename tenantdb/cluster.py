"""The provisioner's hands on one PostgreSQL cluster: what no other role of ours may do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg

from kit.locks import lock
from tenantdb.budget import Connection
from tenantdb.names import checked

_LOCK = lock("ends")  # two cannot grant the same role at the same time
# a database that is dropped at this moment has no size
_SIZES = """SELECT left(datname, 28) AS name,
        coalesce(sum(pg_database_size(oid)), 0)::bigint AS size
    FROM pg_database WHERE datname ~ '^t_[a-z2-7]{26}(_|$)' GROUP BY 1"""
_SESSIONS = """SELECT pid, usename::text AS role FROM pg_stat_activity
    WHERE datname = $1 AND pid <> pg_backend_pid() AND usename IS NOT NULL"""


class Cluster:
    """Opens the provisioner's connections; `url` names its role and its own control database."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 5432

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator[Connection]:
        """Autocommit in the provisioner's own database, for roles and databases."""
        connection = await asyncpg.connect(self._url, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def inside(
        self, database: str, role: str | None = None, *, actor: str = ""
    ) -> AsyncIterator[Connection]:
        """One transaction inside a database, as the provisioner or as a role it may set.

        `actor` stands in the journal rows that it causes.
        """
        async with self.connected(database, role) as connection, connection.transaction():
            await connection.execute("SELECT set_config('app.actor', $1, true)", actor)
            yield connection

    @contextlib.asynccontextmanager
    async def connected(self, database: str, role: str | None = None) -> AsyncIterator[Connection]:
        """Autocommit inside a database."""
        settings = {"role": role} if role else {}
        connection = await asyncpg.connect(
            self._url, database=database, timeout=10, server_settings=settings
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def has_database(self, name: str) -> bool:
        async with self.admin() as admin:
            return bool(
                await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
            )

    async def sizes(self) -> dict[str, int]:
        """Bytes by tenant database, with those set aside and restore targets that belong to it."""
        async with self.admin() as admin:
            rows = await admin.fetch(_SIZES)
        return {row["name"]: int(row["size"]) for row in rows}

    async def stored(self) -> int:
        """Bytes of everything on PostgreSQL's volume: all databases, temporary files, WAL."""
        async with self.admin() as admin:
            return int(await admin.fetchval("SELECT volume.stored()"))

    async def drop_database(self, name: str) -> None:
        """End its sessions and drop it; nothing happens where there is none."""
        if not await self.has_database(name):
            return
        async with self.admin() as admin:
            await admin.execute(f"ALTER DATABASE {checked(name)} WITH ALLOW_CONNECTIONS false")
            await self.end_sessions(admin, name)
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def drop_roles(self, *names: str) -> None:
        async with self.admin() as admin:
            for name in names:
                await admin.execute(f"DROP ROLE IF EXISTS {checked(name)}")

    async def end_sessions(
        self, admin: Connection, database: str, *, role: str | None = None, but: int = 0
    ) -> None:
        """End the sessions in a database (of one role or all) and wait until they are gone.

        `but` is the process id of the one that stays.
        """
        for _ in range(100):
            rows = await admin.fetch(_SESSIONS, database)
            found = [row for row in rows if role in (None, row["role"]) and row["pid"] != but]
            if not found:
                return
            await _terminate(admin, found)
            await asyncio.sleep(0.02)
        raise TimeoutError(f"sessions in {database} do not end")


async def open_database(admin: Connection, name: str, connect: str) -> None:
    """Let the roles in `connect` in, and nobody else: it is closed until that is settled."""
    await admin.execute(
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;"
        f"GRANT CONNECT ON DATABASE {name} TO {connect};"
        f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"
    )


async def copy_database(admin: Connection, name: str, template: str) -> None:
    """A closed copy; a template that is being migrated is free again in a moment."""
    statement = (
        f"CREATE DATABASE {checked(name)} TEMPLATE {template} STRATEGY wal_log "
        "ALLOW_CONNECTIONS false IS_TEMPLATE false"
    )
    for _ in range(50):
        with contextlib.suppress(asyncpg.ObjectInUseError):
            await admin.execute(statement)
            return
        await asyncio.sleep(0.1)
    await admin.execute(statement)


async def _terminate(admin: Connection, sessions: list[asyncpg.Record]) -> None:
    """Signalling needs the target role's rights: held inside this transaction only.

    Held for good, every new connection of the provisioner would walk all its tenants' roles.
    """
    me = await admin.fetchval("SELECT current_user::text")
    others = {row["role"] for row in sessions} - {me}
    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        for role in others:
            await admin.execute(f"GRANT {checked(role)} TO CURRENT_USER WITH INHERIT TRUE")
        for row in sessions:
            await admin.fetchval("SELECT pg_terminate_backend($1)", row["pid"])
        for role in others:
            await admin.execute(f"GRANT {role} TO CURRENT_USER WITH INHERIT FALSE")
