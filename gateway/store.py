"""Every SQL statement of the gateway: the address lists, who is suspended, and the revision that
rises with each change of either."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from gateway.tables import allowlist, edge_revision, suspended_tenant
from kit.db import ReadSession, WriteSession

GLOBAL = "global"


@dataclass(frozen=True)
class Allowlist:
    ranges: list[str]
    changed_at: datetime


@dataclass(frozen=True)
class EdgeState:
    """What the edge must enforce: `tenants` holds the lists of tenants that are not suspended."""

    revision: int
    global_ranges: list[str]
    tenants: dict[str, list[str]]


async def find(session: ReadSession, scope: str) -> Allowlist | None:
    row = await session.first(
        select(allowlist.c.ranges, allowlist.c.changed_at).where(allowlist.c.scope == scope)
    )
    return Allowlist(row["ranges"], row["changed_at"]) if row else None


async def replace(
    session: WriteSession, scope: str, ranges: Sequence[str], changed_by: UUID
) -> datetime:
    new = insert(allowlist).values(scope=scope, ranges=list(ranges), changed_by=changed_by)
    changed_at: datetime = await session.scalar(
        new.on_conflict_do_update(
            index_elements=[allowlist.c.scope],
            set_={
                "ranges": new.excluded.ranges,
                "changed_by": new.excluded.changed_by,
                "changed_at": func.now(),
            },
        ).returning(allowlist.c.changed_at)
    )
    return changed_at


async def seed_global(session: WriteSession, ranges: Sequence[str]) -> None:
    """The global list of the first start; an existing one is kept."""
    if await find(session, GLOBAL) is None:
        await session.run(
            insert(allowlist).values(scope=GLOBAL, ranges=list(ranges)).on_conflict_do_nothing()
        )


async def revision(session: ReadSession) -> int:
    return int(await session.scalar(select(edge_revision.c.revision)))


async def edge_state(session: ReadSession) -> EdgeState:
    suspended = select(cast(suspended_tenant.c.tenant, Text))
    rows = await session.all(
        select(allowlist.c.scope, allowlist.c.ranges)
        .where(allowlist.c.scope.not_in(suspended))
        .order_by(allowlist.c.scope)
    )
    lists = {row["scope"]: row["ranges"] for row in rows}
    return EdgeState(await revision(session), lists.pop(GLOBAL), lists)


async def only_sweeper(session: WriteSession) -> None:
    """Until this transaction ends, no other gateway replaces the suspended tenants."""
    await session.run(text("LOCK TABLE suspended_tenant IN SHARE ROW EXCLUSIVE MODE"))


async def replace_suspended(session: WriteSession, tenants: Collection[UUID]) -> None:
    known = {row["tenant"] for row in await session.all(select(suspended_tenant.c.tenant))}
    if gone := known - set(tenants):
        await session.run(delete(suspended_tenant).where(suspended_tenant.c.tenant.in_(gone)))
    if new := set(tenants) - known:
        await session.run(insert(suspended_tenant).values([{"tenant": one} for one in new]))
