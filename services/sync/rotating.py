"""Changing what a connection signs in with: put at once, or staged until the CRM knows it, so that
either order works for the customer; what serves goes on serving until another one is accepted."""

from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest

from contracts.events import ConnectionChanged
from contracts.ids import ConnectionId, TenantId
from kit import clock, outbox
from kit.problems import NotFound, TooManyRequests
from kit.timers import Timer, each
from services.sync.certificates import Certificates
from services.sync.connection import Connection
from services.sync.credential import CURRENT, NEXT, PREVIOUS, Credential, Offered, Slot
from services.sync.credentials import OpenedRow, moved_to, new_row
from services.sync.crm import connection_of
from services.sync.environments import Environments
from services.sync.probes import Probes, require
from services.sync.problems import CredentialInUse, CredentialStaged, SecretMissing
from services.sync.store import connections, credentials
from services.sync.store.credentials import CredentialRow

EVERY_S = 15.0
_AT_ONCE = 4
_BATCH = 200


class Rotating:
    """No transaction is open while the CRM is asked."""

    def __init__(
        self,
        environments: Environments,
        probes: Probes,
        wake: Callable[[TenantId, ConnectionId], None],
    ) -> None:
        self._environments, self._probes, self._wake = environments, probes, wake
        self._store = environments.credentials
        self._db = self._store.db
        self._certificates = Certificates()

    def timer(self) -> Timer:
        """Shows staged credentials to their CRMs, each with growing pauses."""
        return Timer("staged credentials", EVERY_S, self.try_staged)

    async def listed(self, tenant: TenantId, id_: ConnectionId) -> list[CredentialRow]:
        """The connection's credentials; raises NotFound."""
        await self._get(tenant, id_)
        async with self._db.read() as session:
            return await credentials.of_connection(session, id_)

    async def put(
        self, tenant: TenantId, id_: ConnectionId, new: Credential, expires_at: datetime | None
    ) -> None:
        """Probe with it, then switch; raises CrmProbeFailed, and nothing has changed."""
        connection = await self._get(tenant, id_)
        require(await self._probes.look(connection, Offered(new)))
        made = new_row(new, CURRENT, expires_at, is_proved=True)

        def arrange(found: list[OpenedRow]) -> list[OpenedRow]:
            kept = {one.row.slot: one for one in found if not _is_same(one.value, new)}
            if CURRENT in kept:
                kept[PREVIOUS] = moved_to(kept[CURRENT], PREVIOUS, clock.now())
            return [*(kept | {CURRENT: made}).values()]

        await self._store.rearrange(tenant, id_, arrange)
        await self._activate(tenant, id_, was=("active", "broken"))

    async def stage(
        self, tenant: TenantId, id_: ConnectionId, new: Credential, expires_at: datetime | None
    ) -> None:
        """Keep it as `next`: it is shown to the CRM now and then, and when the one in use fails."""
        connection = await self._get(tenant, id_)
        made = new_row(new, NEXT, expires_at)

        def arrange(found: list[OpenedRow]) -> list[OpenedRow] | None:
            if any(one.row.slot == CURRENT and _is_same(one.value, new) for one in found):
                return None
            kept = [one for one in found if one.row.slot != NEXT and not _is_same(one.value, new)]
            return [*kept, made]

        await self._store.rearrange(tenant, id_, arrange)
        await self._try(connection)

    async def stage_certificate(
        self, tenant: TenantId, id_: ConnectionId, days: int
    ) -> CredentialRow:
        """Make a key and its certificate, staged; raises CredentialStaged where one is already."""
        for row in await self.listed(tenant, id_):
            if row.slot == NEXT:
                raise CredentialStaged
        certificate = await self._certificates.make(id_, clock.now(), days)
        made = new_row(certificate.value, NEXT, certificate.expires_at)

        def arrange(found: list[OpenedRow]) -> list[OpenedRow]:
            if any(one.row.slot == NEXT for one in found):
                raise CredentialStaged
            return [*found, made]

        await self._store.rearrange(tenant, id_, arrange)
        return made.row

    async def drop(self, tenant: TenantId, id_: ConnectionId, slot: Slot) -> None:
        """Forget a staged or a replaced one; raises NotFound, CredentialInUse."""
        await self._get(tenant, id_)
        if slot == CURRENT:
            raise CredentialInUse
        async with self._db.write() as session:
            await credentials.alone(session, id_)
            if not await credentials.drop(session, id_, slot):
                raise NotFound
            await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))

    async def try_staged(self) -> None:
        """Show each staged credential that is due to its CRM; by a timer."""
        async with self._db.read() as session:
            due = await credentials.staged(session, _BATCH)

        async def try_one(one: tuple[TenantId, ConnectionId]) -> None:
            await self._try(await self._get(*one))

        await each(due, try_one, "staged credentials", at_once=_AT_ONCE)

    async def _try(self, connection: Connection) -> None:
        """Where it is accepted it is the current one from then on, and what waited is sent."""
        tenant, id_ = connection.tenant, connection.id
        try:
            staged = self._environments.stored(connection, NEXT)
            refusal = await self._probes.sign_in(connection, staged)
        except (TooManyRequests, SecretMissing):
            return  # the timer comes by again, if there is still something to show
        if refusal is None:
            await self._activate(tenant, id_, was=("broken",))

    async def _activate(self, tenant: TenantId, id_: ConnectionId, *, was: tuple[str, ...]) -> None:
        async with self._db.write() as session:
            if await connections.set_state(session, id_, "active", was=was):
                await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))
        self._wake(tenant, id_)

    async def _get(self, tenant: TenantId, id_: ConnectionId) -> Connection:
        async with self._db.read() as session:
            found = await connections.of_tenant(session, tenant, id_)
        if not found:
            raise NotFound
        return connection_of(found[0])


def _is_same(one: Credential, other: Credential) -> bool:
    return compare_digest(one.secret.encode(), other.secret.encode())
