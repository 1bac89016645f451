"""Making, testing, pausing, retrying and removing connections: looked at before saved, secrets
sealed, never shown again."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from contracts.events import ConnectionChanged, ConnectionCreated, ConnectionRemoved
from contracts.ids import ConnectionId, TenantId, new_id
from kit import clock, outbox
from kit.db import Database, WriteSession
from kit.problems import NotFound
from services.sync.connection import OutcomeState
from services.sync.credential import CURRENT, Offered
from services.sync.credentials import new_row
from services.sync.crm import NewConnection, Probe, connection_of, stored_address
from services.sync.environments import Environments
from services.sync.probes import Probes, require
from services.sync.problems import ConnectionStateConflict, ConnectionsTooMany
from services.sync.store import connections, credentials, described, outcomes, runs, to_forget
from services.sync.store.connections import ConnectionRow, NewConnectionRow
from services.sync.store.outcomes import OutcomeFilter
from services.sync.store.to_forget import ToForget
from services.sync.targets import require_free

_AT_ONCE = 5000
_UNSETTLED: tuple[OutcomeState, ...] = ("parked", "retry")


class Registry:
    """No transaction is open while the CRM is asked."""

    def __init__(self, db: Database, environments: Environments, probes: Probes, most: int) -> None:
        self._db, self._environments, self._probes = db, environments, probes
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
        connection = connection_of(row)
        offered = Offered.secret(wanted.client_secret.get_secret_value())
        require(await self._probes.look(connection, offered))
        made = new_row(offered.one, CURRENT, wanted.secret_expires_at, is_proved=True)
        sealed = await self._environments.credentials.sealed(tenant, connection.id, made)
        with _limited(self._most):
            async with self._db.write() as session:
                await connections.add(session, row, self._most)
                await require_free(session, row)
                await credentials.replace_all(session, connection.id, [sealed])
                notice = ConnectionCreated(tenant=tenant, connection=connection.id)
                await outbox.add(session, notice)
        return connection.id

    async def test(self, tenant: TenantId, id_: ConnectionId) -> Probe:
        """Probe with what is stored; one that is well sends again without further waiting."""
        row = await self._get(tenant, id_)
        connection = connection_of(row)
        found = await self._probes.look(connection, self._environments.stored(connection))
        if found.failed is None and row.state != "paused":
            await self.set_state(tenant, id_, "active", was=("active", "broken"))
        return found

    async def set_state(
        self,
        tenant: TenantId,
        id_: ConnectionId,
        state: str,
        *,
        was: tuple[str, ...],
        lifts_wait: bool = False,
    ) -> None:
        """Change the state; ConnectionStateConflict where it is none of `was`."""
        await self._get(tenant, id_)
        async with self._db.write() as session:
            if not await connections.set_state(session, id_, state, was=was):
                raise ConnectionStateConflict(f"the connection is not {' or '.join(was)}")
            if lifts_wait:
                await connections.lift_wait(session, id_)
            await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))

    async def retry(self, tenant: TenantId, id_: ConnectionId, wanted: OutcomeFilter) -> int:
        """Give parked rows another chance, and a row that is named also where it waits; how many.

        A part of them in a transaction: rows that are parked anew meanwhile are not looked at.
        """
        await self._get(tenant, id_)
        states: tuple[OutcomeState, ...] = ("parked",) if wanted.record is None else _UNSETTLED
        begun, retried, more = clock.now(), 0, True
        while more:
            async with self._db.write() as session:
                found = await outcomes.try_again(session, id_, wanted, states, begun, _AT_ONCE)
            retried, more = retried + found, found == _AT_ONCE
        return retried

    async def ask_run(self, tenant: TenantId, id_: ConnectionId) -> UUID:
        """A run as soon as it may be; ConnectionStateConflict where none will be."""
        row = await self._get(tenant, id_)
        if row.state != "active" or row.suspended:
            told = "suspended" if row.suspended else row.state
            raise ConnectionStateConflict(f"the connection is {told}: it sends nothing")
        async with self._db.write() as session:
            return await runs.ask(session, id_)

    async def remove(self, tenant: TenantId, id_: ConnectionId) -> None:
        """Forget secrets and outcomes; the ledger is kept, and the CRM's rows stay."""
        row = await self._get(tenant, id_)
        async with self._db.write() as session:
            await self._remove(session, row)

    async def _remove(self, session: WriteSession, row: ConnectionRow) -> None:
        tenant, id_ = row.tenant, row.id
        await connections.set_state(session, id_, "removed", was=("active", "paused", "broken"))
        await credentials.drop_all(session, id_)
        await described.forget(session, id_, list(row.modules))
        await to_forget.put(session, id_, ToForget(everything=True))
        await outbox.add(session, ConnectionRemoved(tenant=tenant, connection=id_))

    async def _get(self, tenant: TenantId, id_: ConnectionId) -> ConnectionRow:
        async with self._db.read() as session:
            found = await connections.of_tenant(session, tenant, id_)
        if not found:
            raise NotFound
        return found[0]


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
