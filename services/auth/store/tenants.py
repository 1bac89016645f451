"""The tenants that auth knows: newer news wins, whether it came as a notice or by the sweep."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, any_, cast, func, not_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert

from contracts.ids import TenantId
from kit.db import ReadSession, WriteSession
from kit.locks import lock as lock_number
from services.auth.tables import tenant as tenants


async def state(session: ReadSession, tenant: TenantId) -> str | None:
    """active, suspended or closed; None for a tenant that auth has never heard of."""
    found: str | None = await session.scalar(select(tenants.c.state).where(tenants.c.id == tenant))
    return found


async def lock(session: WriteSession, tenant: TenantId) -> None:
    """One at a time, for changes that look at several users of the tenant."""
    await session.run(select(tenants.c.id).where(tenants.c.id == tenant).with_for_update())


async def open_ones(session: ReadSession) -> list[TenantId]:
    """All that are not closed."""
    rows = await session.all(select(tenants.c.id).where(tenants.c.state != "closed"))
    return [TenantId(row["id"]) for row in rows]


async def only_sweeper(session: WriteSession) -> None:
    """Until this transaction ends, no other replica asks for the list: lists follow each other."""
    await session.run(select(func.pg_advisory_xact_lock(lock_number("tens"))))


async def present(session: ReadSession) -> datetime:
    """Now, by the one clock that all replicas share."""
    now: datetime = await session.scalar(select(func.clock_timestamp()))
    return now


async def set_state(session: WriteSession, tenant: TenantId, state: str, now: datetime) -> None:
    """What was learnt after `now` stays."""
    await session.run(_newer_wins(), {"id": tenant, "state": state, "changed_at": now})


async def set_all(session: WriteSession, states: Mapping[UUID, str], now: datetime) -> None:
    """The whole list as it was at `now`: a tenant that is not on it is closed."""
    if states:
        # sorted: two sweeps at once lock the rows in the same order
        rows = [{"id": one, "state": states[one], "changed_at": now} for one in sorted(states)]
        await session.run(_newer_wins(), rows)
    listed = tenants.c.id == any_(cast(list(states), ARRAY(Uuid)))
    await session.run(
        update(tenants)
        .where(not_(listed), tenants.c.changed_at < now, tenants.c.state != "closed")
        .values(state="closed", changed_at=now)
    )


def _newer_wins() -> Insert:
    """That a tenant is still closed is news, too: an older list that comes later must not open it.
    That it is still open is not written down each time."""
    row = insert(tenants)
    news = row.excluded
    is_news = (tenants.c.state != news.state) | (news.state != "active")
    return row.on_conflict_do_update(
        index_elements=[tenants.c.id],
        set_={"state": news.state, "changed_at": news.changed_at},
        where=(tenants.c.changed_at < news.changed_at) & is_news,
    )
