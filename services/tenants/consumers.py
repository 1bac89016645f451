"""What tenants does with the notices of others."""

from contracts.events import ConnectionRemoved
from contracts.ids import TenantId
from kit.consuming import Handlers
from kit.db import WriteSession
from services.tenants.databases.store import directory
from services.tenants.feed import field_choice
from tenantdb.cluster import Cluster


def handlers(cluster: Cluster) -> Handlers:
    """The table of handlers, with the provisioner's hands on the tenant databases."""

    async def on_connection_removed(session: WriteSession, notice: ConnectionRemoved) -> None:
        """Nothing may leave over a connection that is gone: its field choice goes too.

        Not over a tenant session: a suspended tenant's choice would stay for ever.
        """
        row = await directory.find(session, TenantId(notice.tenant))
        if row is not None and row.state != "provisioning":
            await field_choice.forget(cluster, row.database, notice.connection)

    return {
        ConnectionRemoved: on_connection_removed,
    }
