"""Restore targets, and putting a restored database in the place of the tenant's own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from contracts.ids import TenantId
from kit import statements
from tenantdb import provision, template
from tenantdb.budget import Connection
from tenantdb.cluster import Cluster, copy_database, open_database
from tenantdb.names import checked, owner_of, reader_of

_ACTOR = "service:restore"
_SQL = statements.load(Path(__file__).with_suffix(".sql"))


async def make_target(cluster: Cluster, target: str, name: str) -> None:
    """An empty hardened database in which the tenant's owner role may create everything.

    The NOLOGIN role of the same name is its gate: restore leases are members of it. May be
    repeated.
    """
    async with cluster.admin() as admin:
        with contextlib.suppress(asyncpg.DuplicateObjectError):
            await admin.execute(f"CREATE ROLE {checked(target)} NOLOGIN")
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await copy_database(admin, target, template.EMPTY)
        await open_database(admin, target, target)
    async with cluster.inside(target) as connection:
        await provision.open_schema(connection, checked(name))


async def drop_target(cluster: Cluster, target: str) -> None:
    """Database and gate role, as far as they exist."""
    await cluster.drop_database(target)
    await cluster.drop_roles(target)


async def prepare(cluster: Cluster, target: str, name: str, tenant: TenantId) -> None:
    """Make a restored database the tenant's: present schema, rights, identity, new chain.

    All that can fail for what the dump holds fails here, while the tenant is still served. May be
    repeated, also at the same time.
    """
    owner = owner_of(checked(name))
    await template.upgrade(cluster, target, owner)
    async with cluster.inside(target) as connection:
        await template.lock(connection)
        await provision.identify(connection, name, tenant)
    async with _both(cluster, name, target) as (live, restored):
        await _copy_choices(live, restored)


async def exchange(cluster: Cluster, name: str, target: str, aside: str) -> None:
    """Rename name -> aside and target -> name in one transaction; may be repeated."""
    async with cluster.admin() as admin:
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", aside):
            await _close(cluster, admin, name, target)
            await admin.execute(
                f"ALTER DATABASE {name} RENAME TO {checked(aside)};"
                f"ALTER DATABASE {target} RENAME TO {name};"
                f"REVOKE ALL ON DATABASE {aside} FROM {name}, {reader_of(name)};"
                f"GRANT CONNECT ON DATABASE {name} TO {name}, {reader_of(name)}"
            )
        await admin.execute(f"ALTER DATABASE {checked(name)} WITH ALLOW_CONNECTIONS true")
        if await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", checked(target)):
            await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM {target}; DROP ROLE {target}")


async def _close(cluster: Cluster, admin: Connection, name: str, target: str) -> None:
    """No session in either database any more, and the last field choice is in both.

    What a customer withdraws after the backup stays withdrawn, up to the last moment: the two
    sessions that copy the choice outlive all others.
    """
    for one in (checked(name), checked(target)):
        await _allow(admin, one, "true")  # an exchange that was cut short had closed it
    async with _both(cluster, name, target) as (live, restored):
        for one, ours in ((name, live), (target, restored)):
            await _allow(admin, one, "false")
            await cluster.end_sessions(admin, one, but=ours.get_server_pid())
        await _copy_choices(live, restored)
    for one in (name, target):
        await cluster.end_sessions(admin, one)


async def _allow(admin: Connection, database: str, allowed: str) -> None:
    await admin.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS {allowed}")


@contextlib.asynccontextmanager
async def _both(
    cluster: Cluster, name: str, target: str
) -> AsyncIterator[tuple[Connection, Connection]]:
    """The live database, each statement at its own moment, and the target in one transaction."""
    owner = owner_of(checked(name))
    async with (
        cluster.connected(name, owner) as live,
        cluster.inside(target, owner, actor=_ACTOR) as restored,
    ):
        yield live, restored


async def _copy_choices(live: Connection, restored: Connection) -> None:
    """Exactly the live field choices, as far as their fields exist, and what the connections map;
    may be repeated."""
    choices = await live.fetchval(_SQL["choices"])
    await restored.execute(_SQL["withdraw"], choices)
    await restored.execute(_SQL["choose"], choices)
    mappings = await live.fetchval(_SQL["mappings"])
    await restored.execute(_SQL["unmap"], mappings)
    await restored.execute(_SQL["map"], mappings)
