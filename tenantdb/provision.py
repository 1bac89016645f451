"""Making and unmaking a tenant's database and roles; every step may run again."""

from pathlib import Path
from uuid import uuid4

from contracts.ids import TenantId
from tenantdb.budget import Connection
from tenantdb.cluster import Cluster, copy_database, open_database
from tenantdb.names import checked, owner_of, reader_of
from tenantdb.template import TEMPLATE, TEMPLATE_OWNER

_GRANTS = Path(__file__).parent / "grants.sql"
_CONNECTION_LIMIT = 16
_IDENTITY = """INSERT INTO tenant_identity (tenant, chain) VALUES ($1, $2)
    ON CONFLICT (one) DO UPDATE SET tenant = excluded.tenant, chain = excluded.chain"""


async def create(cluster: Cluster, name: str, tenant: TenantId, verifier: str) -> None:
    """Roles, database, ownership, rights, identity; `verifier` is the runtime role's (SCRAM)."""
    owner, reader = owner_of(checked(name)), reader_of(name)
    async with cluster.admin() as admin:
        await admin.execute(
            f"CREATE ROLE {owner} NOLOGIN;"
            f"CREATE ROLE {reader} NOLOGIN;"
            f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {_CONNECTION_LIMIT}"
            f" IN ROLE bulkhead_tenant PASSWORD '{verifier}';"
            f"GRANT {owner} TO CURRENT_USER WITH SET TRUE, INHERIT FALSE"
        )
        await copy_database(admin, name, TEMPLATE)
        await open_database(admin, name, f"{name}, {reader}")
    async with cluster.inside(name) as connection:
        await open_schema(connection, name)
        await _hand_over(connection, owner)
        await identify(connection, name, tenant)


async def open_schema(connection: Connection, name: str) -> None:
    """What the roles of tenant database `name` may do with the schema itself."""
    await connection.execute(
        f"GRANT USAGE, CREATE ON SCHEMA public TO {owner_of(name)};"
        f"GRANT USAGE ON SCHEMA public TO {name}, {reader_of(name)}"
    )


async def identify(connection: Connection, name: str, tenant: TenantId) -> None:
    """Write rights and identity, with a new chain of positions, as the owner.

    `name` is the tenant's database name, which its roles derive from; a restore's target has
    another one until it is swapped in.
    """
    await grant(connection, name)
    await connection.execute(_IDENTITY, tenant, uuid4())


async def grant(connection: Connection, name: str) -> None:
    """Apply grants.sql for the roles of tenant database `name`, as its owner from here on."""
    await connection.execute(f"SET LOCAL ROLE {owner_of(checked(name))}")
    roles = {"runtime": checked(name), "reader": reader_of(name)}
    await connection.execute(_GRANTS.read_text().format(**roles))


async def lock_out(cluster: Cluster, name: str) -> None:
    """No login of the runtime role any more, and its sessions end."""
    async with cluster.admin() as admin:
        await admin.execute(f"ALTER ROLE {checked(name)} NOLOGIN")
        await cluster.end_sessions(admin, name, role=name)


async def let_in(cluster: Cluster, name: str) -> None:
    """The runtime role may log in again."""
    async with cluster.admin() as admin:
        await admin.execute(f"ALTER ROLE {checked(name)} LOGIN")


async def drop(cluster: Cluster, name: str) -> None:
    """Database and roles of a tenant, as far as they exist."""
    await cluster.drop_database(name)
    await cluster.drop_roles(name, reader_of(name), owner_of(name))


async def _hand_over(connection: Connection, owner: str) -> None:
    """Everything in the copied template becomes the tenant's own.

    The template's objects have an owner that owns nothing else: REASSIGN OWNED would hand over
    the provisioner's databases too.
    """
    await connection.execute(
        f"GRANT {owner} TO CURRENT_USER WITH INHERIT TRUE;"
        f"REASSIGN OWNED BY {TEMPLATE_OWNER} TO {owner};"
        f"DROP OWNED BY {TEMPLATE_OWNER};"
        f"GRANT {owner} TO CURRENT_USER WITH INHERIT FALSE"
    )
