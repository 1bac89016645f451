"""The tenants that auth knows: newer news wins, whether it came as a notice or by the sweep."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from services.auth.tables import tenant


async def state(session: ReadSession, which: TenantId) -> str | None:
    """active, suspended or closed; None for a tenant that auth has never heard of."""
    found: str | None = await session.scalar(select(tenant.c.state).where(tenant.c.id == which))
    return found


async def lock(session: WriteSession, which: TenantId) -> None:
    """One at a time, for changes that look at several users of the tenant."""
    await session.run(select(tenant.c.id).where(tenant.c.id == which).with_for_update())


async def set_state(session: WriteSession, which: TenantId, state: str, now: datetime) -> None:
    """What was learnt after `now` stays."""
    row = insert(tenant).values(id=which, state=state, changed_at=now)
    await session.run(
        row.on_conflict_do_update(
            index_elements=[tenant.c.id],
            set_={"state": state, "changed_at": now},
            where=(tenant.c.changed_at < now) & (tenant.c.state != state),
        )
    )


async def set_all(session: WriteSession, states: Mapping[UUID, str], now: datetime) -> None:
    """The whole list as it was at `now`: a tenant that is not on it is closed."""
    for which, its_state in states.items():
        await set_state(session, TenantId(which), its_state, now)
    gone = (tenant.c.id.not_in(list(states))) & (tenant.c.changed_at < now)
    await session.run(
        update(tenant)
        .where(gone, tenant.c.state != "closed")
        .values(state="closed", changed_at=now)
    )
