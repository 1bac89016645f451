"""Statements on sealed credentials: which slot each is in, and what became of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import ConnectionId, TenantId
from kit.db import ReadSession, WriteSession
from kit.locks import lock
from services.sync.credential import CURRENT, NEXT, PREVIOUS, CredentialKind, Slot
from services.sync.tables import connection, credential

_IN_ORDER = case({CURRENT: 0, NEXT: 1, PREVIOUS: 2}, value=credential.c.slot, else_=3)
_NOW = func.now()
# the pause after a refusal is half of the credential's age, from 30 s to a quarter of an hour
_STAGED = text("""
SELECT connection.tenant, connection.id
FROM connection JOIN credential ON credential.connection = connection.id
WHERE credential.slot = 'next' AND connection.state IN ('active', 'broken')
    AND NOT connection.suspended
    AND (connection.retry_at IS NULL OR connection.retry_at <= now())
    AND (credential.refused_at IS NULL OR credential.refused_at + greatest(
        interval '30 s',
        least(interval '15 min', (credential.refused_at - credential.created_at) / 2)
    ) <= now())
ORDER BY credential.refused_at NULLS FIRST, connection.id LIMIT :most""")


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A sealed credential and its slot; `key_version` is of the tenant's key that opens it."""

    id: UUID
    slot: Slot
    kind: CredentialKind
    key_version: int
    sealed: bytes
    certificate: str
    created_at: datetime
    expires_at: datetime | None = None
    warned_days: int | None = None
    accepted_at: datetime | None = None
    refused_at: datetime | None = None
    refused_reason: str = ""
    replaced_at: datetime | None = None

    @property
    def place(self) -> tuple[UUID, Slot]:
        return self.id, self.slot


@dataclass(frozen=True, slots=True)
class ExpiringRow:
    """A credential that nears its end."""

    id: UUID
    tenant: TenantId
    connection: ConnectionId
    expires_at: datetime


_COLUMNS = [credential.c[one.name] for one in fields(CredentialRow)]


async def alone(session: WriteSession, id_: ConnectionId) -> None:
    """Until this transaction ends, nobody else changes which credentials a connection has."""
    await session.run(select(func.pg_advisory_xact_lock(lock("cred", str(id_)))))


async def of_connection(session: ReadSession, id_: ConnectionId) -> list[CredentialRow]:
    """Current, next, previous: those that there are."""
    return (await of_connections(session, [id_])).get(id_, [])


async def of_connections(
    session: ReadSession, ids: Collection[ConnectionId]
) -> dict[ConnectionId, list[CredentialRow]]:
    query = select(credential.c.connection, *_COLUMNS).where(credential.c.connection.in_(ids))
    found: dict[ConnectionId, list[CredentialRow]] = {}
    for row in await session.all(query.order_by(credential.c.connection, _IN_ORDER)):
        values = dict(row)
        of = ConnectionId(values.pop("connection"))
        found.setdefault(of, []).append(CredentialRow(**values))
    return found


async def replace_all(
    session: WriteSession, id_: ConnectionId, rows: Sequence[CredentialRow]
) -> None:
    """These are the connection's credentials; a slot is never written over in place."""
    await drop_all(session, id_)
    if rows:
        values = [{"connection": id_, **asdict(row)} for row in rows]
        await session.run(insert(credential).values(values))


async def drop_all(session: WriteSession, id_: ConnectionId) -> None:
    await session.run(delete(credential).where(credential.c.connection == id_))


async def drop(session: WriteSession, id_: ConnectionId, slot: Slot) -> bool:
    """Whether there was one in the slot."""
    here = (credential.c.connection == id_, credential.c.slot == slot)
    return await session.run(delete(credential).where(*here)) > 0


async def note_accepted(session: WriteSession, id_: UUID) -> None:
    """A refusal of before is over."""
    changes = {"accepted_at": _NOW, "refused_at": None, "refused_reason": ""}
    await session.run(update(credential).where(credential.c.id == id_).values(changes))


async def note_refused(session: WriteSession, id_: UUID, reason: str) -> None:
    changes = {"refused_at": _NOW, "refused_reason": reason}
    await session.run(update(credential).where(credential.c.id == id_).values(changes))


async def has_other(session: ReadSession, id_: ConnectionId, tried: Collection[UUID]) -> bool:
    """Whether the connection has a credential that is none of these."""
    query = select(credential.c.id).where(
        credential.c.connection == id_, credential.c.id.not_in(tried)
    )
    return await session.scalar(query.limit(1)) is not None


async def staged(session: ReadSession, most: int) -> list[tuple[TenantId, ConnectionId]]:
    """Connections with a staged credential that is to be shown to the CRM once more."""
    rows = await session.all(_STAGED, {"most": most})
    return [(TenantId(row["tenant"]), ConnectionId(row["id"])) for row in rows]


async def expiring(
    session: ReadSession, ends: Mapping[int, datetime], most: int
) -> list[ExpiringRow]:
    """Credentials that serve and end within so many days, before each one's moment, untold."""
    untold = [
        and_(credential.c.expires_at <= moment, _is_untold(days)) for days, moment in ends.items()
    ]
    query = (
        select(
            credential.c.id,
            connection.c.tenant,
            credential.c.connection,
            credential.c.expires_at,
        )
        .join(connection, credential.c.connection == connection.c.id)
        .where(credential.c.slot != PREVIOUS, or_(*untold))
        .order_by(credential.c.expires_at)
    )
    return [ExpiringRow(**row) for row in await session.all(query.limit(most))]


async def note_warned(session: WriteSession, id_: UUID, days: int) -> bool:
    """Whether nobody has said so before."""
    query = update(credential).where(credential.c.id == id_, _is_untold(days))
    return await session.run(query.values(warned_days=days)) == 1


async def count_endings(session: ReadSession, ends: Mapping[int, datetime]) -> dict[int, int]:
    """How many credentials in use end within so many days, before each one's moment."""
    counts = [
        func.count().filter(credential.c.expires_at <= moment).label(str(days))
        for days, moment in ends.items()
    ]
    query = select(*counts).join(connection, credential.c.connection == connection.c.id)
    query = query.where(credential.c.slot == CURRENT, connection.c.suspended.is_(False))
    row = await session.first(query)
    return {} if row is None else {days: row[str(days)] for days in ends}


def _is_untold(days: int) -> ColumnElement[bool]:
    return or_(credential.c.warned_days.is_(None), credential.c.warned_days > days)


async def forget_replaced(session: WriteSession, before: datetime, most: int) -> int:
    """Delete credentials that were replaced before this moment; returns how many."""
    old = select(credential.c.id).where(
        credential.c.slot == PREVIOUS, credential.c.replaced_at < before
    )
    locked = old.limit(most).with_for_update(skip_locked=True)
    return await session.run(delete(credential).where(credential.c.id.in_(locked)))
