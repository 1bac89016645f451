"""Leases: a role made for one tenant, one purpose and a short time, and dropped afterwards.

A lease's rights are memberships only, so that dropping the role is all it takes to end it.
"""

from datetime import datetime

from tenantdb.cluster import Cluster
from tenantdb.names import checked, owner_of, reader_of


async def grant_dump(
    cluster: Cluster, role: str, verifier: str, ends_at: datetime, database: str
) -> None:
    """May read everything in the tenant's database and write nothing.

    Membership in the runtime role without its rights is what pg_hba's `samerole` asks for.
    """
    async with cluster.admin() as admin:
        await admin.execute(
            _create(role, verifier, ends_at)
            + f"ALTER ROLE {role} SET default_transaction_read_only = on;"
            f"GRANT {reader_of(checked(database))} TO {role} WITH INHERIT TRUE, SET FALSE;"
            f"GRANT {database} TO {role} WITH INHERIT FALSE, SET FALSE"
        )


async def grant_restore(
    cluster: Cluster, role: str, verifier: str, ends_at: datetime, name: str, target: str
) -> None:
    """Acts as the tenant's owner role, but may connect to the restore target only.

    `SET role` at login: all it makes belongs to the owner, so nothing hangs on the lease's role.
    """
    owner = owner_of(checked(name))
    async with cluster.admin() as admin:
        await admin.execute(
            _create(role, verifier, ends_at)
            + f"GRANT {owner} TO {role} WITH INHERIT TRUE, SET TRUE;"
            f"GRANT {checked(target)} TO {role} WITH INHERIT TRUE, SET FALSE;"
            f"ALTER ROLE {role} SET role = '{owner}'"
        )


async def end(cluster: Cluster, role: str, database: str) -> None:
    """End the lease's sessions and drop its role; nothing happens where there is none.

    Of two that end the same lease, the second waits and finds nothing left to do.
    """
    async with cluster.admin() as admin:
        # PostgreSQL's hash and not kit.locks: a version before this one must be kept out, too
        await admin.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", role)
        if await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", checked(role)):
            await admin.execute(f"ALTER ROLE {role} NOLOGIN")
            await cluster.end_sessions(admin, database, role=role)
            await admin.execute(f"DROP ROLE {role}")


def _create(role: str, verifier: str, ends_at: datetime) -> str:
    return (
        f"CREATE ROLE {checked(role)} LOGIN CONNECTION LIMIT 8"
        f" PASSWORD '{verifier}' VALID UNTIL '{ends_at.isoformat()}';"
        f"GRANT bulkhead_lease TO {role} WITH INHERIT TRUE, SET FALSE;"
    )
