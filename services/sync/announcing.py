"""Tells those who may manage a connection what needs them: once for each thing, and not too often.

Who is told what stands in the database, so that replicas and restarts repeat nothing.
"""

from datetime import timedelta

from contracts.events import ConnectionBroken, ConnectionChanged, RowsParked
from contracts.ids import ConnectionId, TenantId
from kit import clock, outbox
from kit.db import Database, WriteSession
from services.sync.store import announced

NOT_AGAIN_FOR = timedelta(hours=1)
_PARKED = "parked"
_BATCH = 500


async def connection_broke(session: WriteSession, tenant: TenantId, id_: ConnectionId) -> None:
    """Call it in the transaction that has changed the state to broken, and only then."""
    now = clock.now()
    await outbox.add(session, ConnectionBroken(tenant=tenant, connection=id_, at=now))
    await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))


async def rows_parked(session: WriteSession, tenant: TenantId, id_: ConnectionId) -> None:
    """Rows were parked in this transaction: told at once, then at most once an hour.

    What is parked within the hour is told at its end (`repeat`), so nothing stays untold.
    """
    now = clock.now()
    if await announced.is_first(session, id_, _PARKED, now, now - NOT_AGAIN_FOR):
        await outbox.add(session, RowsParked(tenant=tenant, connection=id_, at=now))


async def repeat(db: Database) -> None:
    """Tell what came within the hour after it was told before; by a timer."""
    now = clock.now()
    async with db.write() as session:
        for tenant, id_ in await announced.take_again(
            session, _PARKED, now - NOT_AGAIN_FOR, _BATCH
        ):
            await rows_parked(session, tenant, id_)
