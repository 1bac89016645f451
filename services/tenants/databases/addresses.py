"""Where each tenant's database is: found, unsealed, and refused while it may not be used."""

from contracts.ids import TenantId
from contracts.problems import TenantBeingRestored, TenantIsSuspended, TenantNotUpgraded
from kit.db import Database
from kit.problems import NotFound
from kit.sealing import Kek, new_key, open_sealed, seal
from kit.single_flight import Kept
from services.tenants.databases.store import directory as store
from tenantdb import Address, template

_KEEP_S = 1.0
_KEEP = 5_000


class Addresses:
    """Answers TenantDatabases; an answer is kept for a second, and asked for by one at a time.

    That second is no hole: the database itself refuses the role of a suspended tenant, and a
    database that is being exchanged takes no connections.
    """

    def __init__(self, db: Database, kek: Kek, host: str, port: int) -> None:
        self._db, self._kek, self._host, self._port = db, kek, host, port
        self._kept = Kept(self._look_up, keep_s=_KEEP_S, size=_KEEP)

    async def address(self, tenant: TenantId) -> Address:
        """Raises NotFound, TenantIsSuspended, TenantBeingRestored or TenantNotUpgraded."""
        return await self._kept.get(tenant)

    def forget(self, tenant: TenantId) -> None:
        """Ask the database again on the next use."""
        self._kept.forget(tenant)

    async def _look_up(self, tenant: TenantId) -> Address:
        async with self._db.read() as session:
            row = await store.find(session, tenant)
        return self._usable(row)

    def _usable(self, row: store.TenantRow | None) -> Address:
        if row is None or row.state == "provisioning":
            raise NotFound("no such tenant")
        if row.state == "suspended":
            raise TenantIsSuspended
        if row.is_swapping:
            raise TenantBeingRestored
        if row.schema_version < template.version():
            raise TenantNotUpgraded
        password = unseal_password(self._kek, row)
        return Address(row.id, self._host, self._port, row.database, password)


def seal_password(kek: Kek, tenant: TenantId, password: str) -> tuple[bytes, bytes]:
    """A new key of the tenant's, wrapped, and the password sealed under it."""
    key = new_key()
    sealed = seal(key, password.encode("ascii"), b"database-password|" + tenant.bytes)
    return kek.wrap(key, b"tenant-key|" + tenant.bytes), sealed


def unseal_password(kek: Kek, row: store.TenantRow) -> str:
    """The password; SealBroken where key or password were made for another tenant."""
    key = kek.unwrap(row.wrapped_key, b"tenant-key|" + row.id.bytes)
    sealed = open_sealed(key, row.sealed_password, b"database-password|" + row.id.bytes)
    return sealed.decode("ascii")
