"""A connection's credentials as they are stored: opened when one is needed, and put into the slots
that the CRM's answers give them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.events import ConnectionChanged
from contracts.ids import ConnectionId, TenantId
from kit import clock, outbox
from kit.db import Database
from services.sync.credential import CURRENT, NEXT, PREVIOUS, Credential, Slot
from services.sync.problems import SecretMissing
from services.sync.store import credentials
from services.sync.store.credentials import CredentialRow
from services.sync.tenant_keys import TenantKeys

_FRESH_S = 5.0
_TIMES = 10  # somebody else rotates at the same moment: rarely once


class CredentialsUnsettled(Exception):
    """The credentials were changed by others each time that they were to be written."""


@dataclass(frozen=True)
class OpenedRow:
    """A row and what is sealed in it."""

    row: CredentialRow
    value: Credential


def new_row(
    value: Credential, slot: Slot, expires_at: datetime | None = None, *, is_proved: bool = False
) -> OpenedRow:
    """For a credential that nobody has saved yet; it is sealed when it is written."""
    now = clock.now()
    row = CredentialRow(value.id, slot, value.kind, 0, b"", value.certificate, now, expires_at)
    return OpenedRow(replace(row, accepted_at=now if is_proved else None), value)


Arrange = Callable[[list[OpenedRow]], list[OpenedRow] | None]
"""Gives every credential its slot, or None where nothing changes; asked again after a collision."""


class CredentialStore:
    """Reads and writes the credentials of connections; a seal holds for one connection and slot."""

    def __init__(self, db: Database, keyring: TenantKeys) -> None:
        self._db, self._keyring = db, keyring

    @property
    def db(self) -> Database:
        return self._db

    async def sealed(self, tenant: TenantId, id_: ConnectionId, one: OpenedRow) -> CredentialRow:
        """The row to be written, sealed for its slot."""
        version, text = await self._keyring.seal(tenant, id_, one.row.slot, one.value.secret)
        return replace(one.row, key_version=version, sealed=text)

    async def opened(self, tenant: TenantId, id_: ConnectionId) -> list[OpenedRow]:
        """Current, next, previous: those that there are."""
        async with self._db.read() as session:
            rows = await credentials.of_connection(session, id_)
        return [OpenedRow(row, await self._open(tenant, id_, row)) for row in rows]

    async def rearrange(self, tenant: TenantId, id_: ConnectionId, arrange: Arrange) -> bool:
        """Give the credentials their slots in one step; whether anything has changed."""
        for _ in range(_TIMES):
            found = await self.opened(tenant, id_)
            wanted = arrange(found)
            if wanted is None:
                return False
            rows = [
                one.row if one in found else await self.sealed(tenant, id_, one) for one in wanted
            ]
            if await self._write(tenant, id_, [one.row for one in found], rows):
                return True
        raise CredentialsUnsettled

    async def _write(
        self,
        tenant: TenantId,
        id_: ConnectionId,
        seen: Sequence[CredentialRow],
        rows: Sequence[CredentialRow],
    ) -> bool:
        async with self._db.write() as session:
            await credentials.alone(session, id_)
            there = await credentials.of_connection(session, id_)
            if [one.place for one in there] != [one.place for one in seen]:
                return False
            await credentials.replace_all(session, id_, _as_told(rows, there))
            await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))
        return True

    async def _open(self, tenant: TenantId, id_: ConnectionId, row: CredentialRow) -> Credential:
        text = await self._keyring.open(tenant, id_, row.slot, row.key_version, row.sealed)
        return Credential(row.id, row.kind, text, row.certificate)


@dataclass
class StoredCredentials:
    """Those of one connection as whoever signs in asks for them; with `only`, those of one slot."""

    store: CredentialStore
    tenant: TenantId
    connection: ConnectionId
    only: Slot | None = None
    is_noted: bool = True
    _read: Sequence[Credential] = field(default=(), init=False, repr=False)
    _read_at: float | None = field(default=None, init=False)

    async def present(self) -> Sequence[Credential]:
        """Raises SecretMissing where there is none."""
        if self._read_at is None or time.monotonic() - self._read_at > _FRESH_S:
            return await self.look_again()
        return self._read

    async def look_again(self) -> Sequence[Credential]:
        """Raises SecretMissing where there is none."""
        found = await self.store.opened(self.tenant, self.connection)
        chosen = [one.value for one in found if self.only in (None, one.row.slot)]
        if not chosen:
            raise SecretMissing
        self._read, self._read_at = chosen, time.monotonic()
        return chosen

    async def note_accepted(self, one: Credential) -> None:
        """Switches to it, where another one was in use."""
        if not self.is_noted:
            return
        now = clock.now()
        await self.store.rearrange(
            self.tenant, self.connection, lambda found: switched(found, one, now)
        )
        async with self.store.db.write() as session:
            await credentials.note_accepted(session, one.id)
        self._read_at = None

    async def note_refused(self, one: Credential, reason: str) -> None:
        if not self.is_noted:
            return
        async with self.store.db.write() as session:
            await credentials.note_refused(session, one.id, reason)


def _as_told(rows: Sequence[CredentialRow], there: Sequence[CredentialRow]) -> list[CredentialRow]:
    """With what has become of each meanwhile."""
    known = {one.id: one for one in there}
    return [
        replace(
            row,
            warned_days=known[row.id].warned_days,
            accepted_at=known[row.id].accepted_at,
            refused_at=known[row.id].refused_at,
            refused_reason=known[row.id].refused_reason,
        )
        if row.id in known
        else row
        for row in rows
    ]


def switched(
    found: Sequence[OpenedRow], accepted: Credential, now: datetime
) -> list[OpenedRow] | None:
    """The slots after the CRM has accepted a credential; None where it is the one in use, or gone.

    What was in use before stays as `previous`. Where the accepted one is `previous`, a fall-back,
    what was in use waits as `next` for the CRM to know it (again), if nothing else does.
    """
    by_slot = {one.row.slot: one for one in found}
    before = next((one for one in found if one.row.id == accepted.id), None)
    if before is None or before.row.slot == CURRENT:
        return None
    moved = {CURRENT: moved_to(before, CURRENT)}
    if CURRENT in by_slot:
        falls_back = before.row.slot == PREVIOUS and NEXT not in by_slot
        to = NEXT if falls_back else PREVIOUS
        moved[to] = moved_to(by_slot[CURRENT], to, now)
    if before.row.slot == PREVIOUS and NEXT in by_slot:
        moved[NEXT] = by_slot[NEXT]
    return list(moved.values())


def moved_to(one: OpenedRow, slot: Slot, now: datetime | None = None) -> OpenedRow:
    """In another slot; `now` counts only for what has been replaced."""
    replaced_at = now if slot == PREVIOUS else None
    return replace(one, row=replace(one.row, slot=slot, replaced_at=replaced_at))
