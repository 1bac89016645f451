"""Restore targets, and putting a restored database in the place of the tenant's own."""

import contextlib

import asyncpg

from contracts.ids import TenantId
from tenantdb import provision, template
from tenantdb.cluster import Cluster, copy_database, open_database
from tenantdb.names import checked, owner_of, reader_of


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
    """Make a restored database the tenant's: present schema, rights, identity, new chain."""
    await template.upgrade(cluster, target, owner_of(checked(name)))
    async with cluster.inside(target) as connection:
        await provision.identify(connection, name, tenant)


async def exchange(cluster: Cluster, name: str, target: str, aside: str) -> None:
    """Rename name -> aside and target -> name in one transaction; may be repeated."""
    async with cluster.admin() as admin:
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", aside):
            for one in (checked(name), checked(target)):
                await admin.execute(f"ALTER DATABASE {one} WITH ALLOW_CONNECTIONS false")
                await cluster.end_sessions(admin, one)
            await admin.execute(
                f"ALTER DATABASE {name} RENAME TO {checked(aside)};"
                f"ALTER DATABASE {target} RENAME TO {name};"
                f"REVOKE ALL ON DATABASE {aside} FROM {name}, {reader_of(name)};"
                f"GRANT CONNECT ON DATABASE {name} TO {name}, {reader_of(name)}"
            )
        await admin.execute(f"ALTER DATABASE {checked(name)} WITH ALLOW_CONNECTIONS true")
        if await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", checked(target)):
            await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM {target}; DROP ROLE {target}")
