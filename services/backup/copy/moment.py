"""A tenant's database held at one moment: everything read here, and the dump, show that moment."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.clients import Lease, TenantsClient
from contracts.ids import LeaseId, TenantId
from kit import logs
from kit.problems import Problem
from services.backup.copy.fingerprint import Rows
from services.backup.failures import FailureReason, RunFailed
from tenantdb.lease_connection import LeaseBlocked, LeaseLost, LeaseRefused, open_lease

_log = logs.get(__name__)

_MOMENT = """
SELECT pg_export_snapshot() AS exported, pg_current_snapshot()::text AS position,
       now() AS at, pg_current_wal_lsn()::text AS lsn,
       current_setting('server_version') AS server, tenant, chain::text AS chain,
       (SELECT max(name) FROM schema_migration) AS schema_version
FROM tenant_identity"""


@dataclass(frozen=True)
class Moment:
    """The moment at which a database is held, and a connection that sees it."""

    rows: Rows
    exported: str
    position: str
    at: datetime
    lsn: str
    server: str
    chain: str
    schema_version: str


@contextlib.asynccontextmanager
async def leased(lease: Lease, *, role: str | None = None) -> AsyncIterator[Rows]:
    """A connection that sees one moment, acting as `role` if named; RunFailed where refused."""
    try:
        async with open_lease(
            host=lease.host,
            port=lease.port,
            database=lease.database,
            user=lease.user,
            password=lease.password.get_secret_value(),
            role=role,
        ) as session:
            yield session
    except LeaseBlocked:
        raise RunFailed(FailureReason.LOCKED_OUT) from None
    except LeaseRefused:
        raise RunFailed(FailureReason.SOURCE_REFUSED) from None
    except LeaseLost:
        raise RunFailed(FailureReason.SOURCE_DOWN) from None


@contextlib.asynccontextmanager
async def held(tenants: TenantsClient, tenant: TenantId) -> AsyncIterator[tuple[Lease, Moment]]:
    """Lease the tenant's database and hold it at this moment until the block ends."""
    async with dump_lease(tenants, tenant) as lease, leased(lease) as rows:
        yield lease, await _moment(rows, tenant)


@contextlib.asynccontextmanager
async def dump_lease(tenants: TenantsClient, tenant: TenantId) -> AsyncIterator[Lease]:
    """A lease to read; given back at the end (where that fails, it ends by its time)."""
    lease = await tenants.lease(tenant, "dump")
    try:
        yield lease
    finally:
        await give_back(tenants, tenant, lease)


async def give_back(tenants: TenantsClient, tenant: TenantId, lease: Lease) -> None:
    """Return a lease; a peer that is down is no reason to fail, for leases end by themselves."""
    try:
        await tenants.release(tenant, LeaseId(lease.lease))
    except Problem as problem:
        _log.warning("lease not returned", lease=str(lease.lease), slug=problem.slug)


async def _moment(rows: Rows, tenant: TenantId) -> Moment:
    row = await rows.fetchrow(_MOMENT)
    if row is None or UUID(str(row["tenant"])) != tenant:
        raise RunFailed(FailureReason.SOURCE_REFUSED)
    return Moment(
        rows=rows,
        exported=row["exported"],
        position=row["position"],
        at=row["at"],
        lsn=row["lsn"],
        server=row["server"],
        chain=row["chain"],
        schema_version=row["schema_version"] or "",
    )
