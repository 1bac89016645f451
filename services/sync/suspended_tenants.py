"""Which tenants are suspended: read again from the directory, so that a lost notice does not
matter and notices that come twice, late or in the wrong order do no harm."""

from collections.abc import Callable

from contracts.clients import TenantsClient
from contracts.ids import ConnectionId, TenantId
from kit.db import Database
from services.sync.store import suspensions


class SuspendedTenants:
    """Copies the directory's word to the connections, and wakes those that may send again."""

    def __init__(
        self,
        db: Database,
        tenants: TenantsClient,
        wake: Callable[[TenantId, ConnectionId], None],
    ) -> None:
        self._db, self._tenants, self._wake = db, tenants, wake

    async def look(self) -> None:
        """Under a lock that all replicas share: an older answer can never replace a newer one."""
        async with self._db.write() as session:
            await suspensions.only_looker(session)
            entries = await self._tenants.tenants()
            active = [TenantId(entry.id) for entry in entries if entry.state == "active"]
            await suspensions.suspend_all_but(session, active)
            resumed = await suspensions.resume(session, active)
        for tenant, connection in resumed:
            self._wake(tenant, connection)
