"""What tenants does with the notices of others."""

from contracts.events import ConnectionRemoved
from contracts.ids import TenantId
from kit.consuming import Handlers
from kit.db import WriteSession
from services.tenants.store import field_choice
from tenantdb import TenantDatabases


def handlers(databases: TenantDatabases) -> Handlers:
    """The table of handlers; they work on tenant databases, so they are given the way in."""

    async def on_connection_removed(_session: WriteSession, notice: ConnectionRemoved) -> None:
        """Nothing may leave over a connection that is gone: its field choice goes too."""
        tenant = TenantId(notice.tenant)
        async with databases.write(tenant, actor="service:tenants") as session:
            await field_choice.forget(session, notice.connection)

    return {
        ConnectionRemoved: on_connection_removed,
    }
