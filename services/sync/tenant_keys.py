"""Tenants' keys: made on first use, wrapped by the key-encryption key, opened only in memory."""

from hashlib import blake2b

from contracts.ids import ConnectionId, TenantId
from kit.db import Database
from kit.sealing import Kek, SealBroken, new_key, open_sealed, seal
from services.sync.store import keys


class TenantKeys:
    """Seals for one tenant and place; what was sealed for another opens nowhere else."""

    def __init__(self, kek: Kek, db: Database) -> None:
        self._kek, self._db = kek, db

    async def seal(
        self, tenant: TenantId, connection: ConnectionId, slot: str, text: str
    ) -> tuple[int, bytes]:
        """Key version and sealed text, bound to tenant, connection and slot."""
        version, key = await self._newest(tenant)
        return version, seal(key, text.encode(), _place(tenant, connection, slot))

    async def open(
        self, tenant: TenantId, connection: ConnectionId, slot: str, version: int, sealed: bytes
    ) -> str:
        """The text; SealBroken where tenant, connection, slot or a bit differs."""
        async with self._db.read() as session:
            row = await keys.get(session, tenant, version)
        if row is None:
            raise SealBroken("the tenant has no such key")
        key = self._kek.unwrap(row.wrapped, _wrapping(tenant, version))
        return open_sealed(key, sealed, _place(tenant, connection, slot)).decode()

    async def hash_key(self, tenant: TenantId) -> bytes:
        """The key for hashes of what was sent; another one than the sealing key."""
        _, key = await self._newest(tenant)
        return blake2b(key=key, person=b"bulkhead-sent", digest_size=32).digest()

    async def check(self) -> None:
        """Open one tenant's key; raises SealBroken under a wrong KEK."""
        async with self._db.read() as session:
            row = await keys.any_of_all(session)
        if row is not None:
            self._kek.unwrap(row.wrapped, _wrapping(row.tenant, row.version))

    async def _newest(self, tenant: TenantId) -> tuple[int, bytes]:
        async with self._db.read() as session:
            row = await keys.newest(session, tenant)
        if row is None:
            async with self._db.write() as writing:
                wrapped = self._kek.wrap(new_key(), _wrapping(tenant, 1))
                await keys.add_first(writing, tenant, wrapped)
                row = await keys.newest(writing, tenant)
        if row is None:
            raise SealBroken("the tenant has no key")
        return row.version, self._kek.unwrap(row.wrapped, _wrapping(tenant, row.version))


def _place(tenant: TenantId, connection: ConnectionId, slot: str) -> bytes:
    return f"bulkhead.sync.sealed|{tenant}|{connection}|{slot}".encode()


def _wrapping(tenant: TenantId, version: int) -> bytes:
    return f"bulkhead.sync.tenant-key|{tenant}|{version}".encode()
