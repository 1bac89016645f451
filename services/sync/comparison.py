"""Both sides in numbers: what there is here, beside what became of it there, module by module."""

from contracts.clients import TenantsClient
from contracts.ids import ConnectionId, TenantId
from kit.db import Database
from kit.problems import NotFound
from services.sync.schemas import Comparison, ModuleComparison
from services.sync.store import connections, outgoing_counts


class Comparing:
    """Counts on both sides; nothing is asked of the CRM."""

    def __init__(self, db: Database, tenants: TenantsClient) -> None:
        self._db, self._tenants = db, tenants

    async def compare(self, tenant: TenantId, connection: ConnectionId) -> Comparison:
        """Modules that are open or have outcomes. Raises NotFound, and what the client raises."""
        async with self._db.read() as session:
            if not await connections.of_tenant(session, tenant, connection):
                raise NotFound
        ours = await self._tenants.count_records(tenant, connection)
        async with self._db.read() as session:
            outcomes = await outgoing_counts.by_module(session, connection)
        return Comparison(
            modules={
                name: ModuleComparison(ours=ours.get(name), outcomes=outcomes.get(name, {}))
                for name in sorted({*ours, *outcomes})
            }
        )
