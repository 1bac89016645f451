"""Making and changing connections: looked at before saved, secrets sealed, never shown again."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.events import ConnectionChanged, ConnectionCreated, ConnectionRemoved
from contracts.ids import ConnectionId, TenantId, new_id
from kit import outbox
from kit.db import Database, WriteSession
from kit.problems import NotFound, Problem
from services.sync.crm import NewConnection, Probe, connection_of, stored_address
from services.sync.environments import CURRENT, NEXT, Environments
from services.sync.probes import Probes, require
from services.sync.problems import (
    ConnectionStateConflict,
    ConnectionsTooMany,
)
from services.sync.store import connections, outgoing
from services.sync.store.connections import ConnectionRow, NewConnectionRow
from services.sync.targets import require_free
from services.sync.tenant_keys import TenantKeys


class Registry:
    """No transaction is open while the CRM is asked."""

    def __init__(
        self,
        db: Database,
        keyring: TenantKeys,
        environments: Environments,
        probes: Probes,
        most: int,
    ) -> None:
        self._db, self._keyring, self._environments = db, keyring, environments
        self._probes = probes
        self._most = most  # connections of one tenant

    async def register(self, tenant: TenantId, wanted: NewConnection) -> ConnectionId:
        """Check the addresses, probe, save.

        Raises ConnectionsTooMany, CrmAddressRefused, CrmTargetTaken, CrmProbeFailed,
        TooManyRequests.
        """
        row = _row(tenant, wanted)
        with _limited(self._most):
            async with self._db.read() as reading:
                await connections.require_room(reading, tenant, self._most)
                await require_free(reading, row)
        connection, secret = connection_of(row), wanted.client_secret.get_secret_value()
        require(await self._probes.look(connection, secret))
        version, sealed = await self._keyring.seal(tenant, connection.id, CURRENT, secret)
        with _limited(self._most):
            async with self._db.write() as session:
                await connections.add(session, row, self._most)
                await require_free(session, row)
                await connections.put_credential(session, connection.id, CURRENT, version, sealed)
                made = ConnectionCreated(tenant=tenant, connection=connection.id)
                await outbox.add(session, made)
        return connection.id

    async def test(self, tenant: TenantId, id_: ConnectionId) -> Probe:
        """Probe with the present secret; one that is well sends again without further waiting."""
        row = await self._get(tenant, id_)
        connection = connection_of(row)
        secret = await self._environments.secret(connection)
        found = await self._probes.look(connection, secret)
        if found.failed is None and row.state != "paused":
            await self.set_state(tenant, id_, "active", was=("active", "broken"))
        return found

    async def replace_secret(self, tenant: TenantId, id_: ConnectionId, secret: str) -> None:
        """Seal as `next`, probe with it, then switch; the current one works until then."""
        row = await self._get(tenant, id_)
        await self._put_secret(tenant, id_, NEXT, secret)
        try:
            require(await self._probes.look(connection_of(row), secret))
        except Problem:
            async with self._db.write() as session:
                await connections.drop_credentials(session, id_, NEXT)
            raise
        version, sealed = await self._keyring.seal(tenant, id_, CURRENT, secret)
        async with self._db.write() as session:
            await connections.put_credential(session, id_, CURRENT, version, sealed)
            await connections.drop_credentials(session, id_, NEXT)
            await connections.set_state(session, id_, "active", was=("active", "broken"))
            await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))

    async def set_state(
        self, tenant: TenantId, id_: ConnectionId, state: str, *, was: tuple[str, ...]
    ) -> None:
        """Change the state; ConnectionStateConflict where it is none of `was`."""
        await self._get(tenant, id_)
        async with self._db.write() as session:
            if not await connections.set_state(session, id_, state, was=was):
                raise ConnectionStateConflict(f"the connection is not {' or '.join(was)}")
            await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))

    async def retry(self, tenant: TenantId, id_: ConnectionId) -> int:
        """Give every parked row another chance."""
        await self._get(tenant, id_)
        async with self._db.write() as session:
            return await outgoing.unpark(session, id_)

    async def remove(self, tenant: TenantId, id_: ConnectionId) -> None:
        """Forget secrets and outcomes; the ledger is kept, and the CRM's rows stay."""
        await self._get(tenant, id_)
        async with self._db.write() as session:
            await self._remove(session, tenant, id_)

    async def _remove(self, session: WriteSession, tenant: TenantId, id_: ConnectionId) -> None:
        await connections.set_state(session, id_, "removed", was=("active", "paused", "broken"))
        await connections.drop_credentials(session, id_, CURRENT, NEXT)
        await outgoing.forget(session, id_)
        await outbox.add(session, ConnectionRemoved(tenant=tenant, connection=id_))

    async def _get(self, tenant: TenantId, id_: ConnectionId) -> ConnectionRow:
        async with self._db.read() as session:
            found = await connections.of_tenant(session, tenant, id_)
        if not found:
            raise NotFound
        return found[0]

    async def _put_secret(self, tenant: TenantId, id_: ConnectionId, slot: str, text: str) -> None:
        version, sealed = await self._keyring.seal(tenant, id_, slot, text)
        async with self._db.write() as session:
            await connections.put_credential(session, id_, slot, version, sealed)


def _row(tenant: TenantId, wanted: NewConnection) -> NewConnectionRow:
    return NewConnectionRow(
        id=ConnectionId(new_id()),
        tenant=tenant,
        name=wanted.name,
        kind=wanted.kind,
        address=stored_address(wanted),
        modules={name: mapping.model_dump() for name, mapping in wanted.modules.items()},
        missing=wanted.missing,
    )


@contextmanager
def _limited(most: int) -> Iterator[None]:
    try:
        yield
    except connections.TooMany:
        raise ConnectionsTooMany(f"a tenant has at most {most}") from None
