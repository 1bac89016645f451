"""Other tenants in the same sync: their connections lead to the same simulator."""

from dataclasses import replace

from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.credential import CURRENT, Offered
from services.sync.credentials import CredentialStore, new_row
from services.sync.store import connections, credentials
from tests.services.sync.running_sync import Sync


async def add_stranger(sync: Sync, tenant: TenantId | None = None) -> tuple[TenantId, ConnectionId]:
    """A connection like the first one of the sync's tenant; the peer knows nothing of it."""
    tenant, connection = tenant or TenantId(new_id()), ConnectionId(new_id())
    async with sync.parts.db.read() as session:
        row = (await connections.of_tenant(session, sync.tenant))[0]
    offered = Offered.secret(sync.simulator.client_secret)
    store = CredentialStore(sync.parts.db, sync.parts.keyring)
    sealed = await store.sealed(tenant, connection, new_row(offered.one, CURRENT))
    async with sync.parts.db.write() as session:
        await connections.add(session, replace(row, id=connection, tenant=tenant), 100)
        await credentials.replace_all(session, connection, [sealed])
    return tenant, connection


async def add_neighbour(
    sync: Sync, tenant: TenantId | None = None
) -> tuple[TenantId, ConnectionId]:
    """A stranger whom the peer knows, with the same records."""
    tenant, connection = await add_stranger(sync, tenant)
    sync.peer.others.add(tenant)
    return tenant, connection


async def is_quiet(sync: Sync) -> bool:
    """No push holds its lock in this test's database."""
    query = (
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND d.datname = current_database()"
    )
    async with sync.parts.db.read() as session:
        return bool(await session.scalar(text(query)) == 0)
