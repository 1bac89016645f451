"""Which tenants are suspended: read again from the directory, so that a lost notice does not
matter and two notices in the wrong order do no harm."""

from contracts.clients import TenantsClient
from gateway import store
from gateway.edge import Edge
from kit.db import Database


class Suspensions:
    """Copies the suspended tenants of the directory into the store and has the edge follow."""

    def __init__(self, db: Database, tenants: TenantsClient, edge: Edge) -> None:
        self._db, self._tenants, self._edge = db, tenants, edge

    async def sweep(self) -> None:
        """Under a lock that all gateways share: an older answer can never replace a newer one."""
        async with self._db.write() as session:
            await store.only_sweeper(session)
            entries = await self._tenants.tenants()
            suspended = [one.id for one in entries if one.state == "suspended"]
            await store.replace_suspended(session, suspended)
        await self._edge.catch_up()
