"""Reading and replacing an address list: stored, announced, and live before the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.events import AllowlistChanged
from contracts.ids import UserId
from gateway import ranges, store
from gateway.edge import Edge
from gateway.problems import AllowlistNotFound, OwnAddressOutside
from gateway.store import GLOBAL, Allowlist
from kit import outbox
from kit.db import Database, ReadSession
from kit.problems import RequestInvalid


@dataclass(frozen=True)
class ListChange:
    """Who puts which ranges in the place of a list; `scope` is "global" or a tenant's id.

    `must_hold`: an address that the new list has to hold, so that nobody locks themselves out.
    """

    scope: str
    ranges: Sequence[str]
    user: UserId
    must_hold: str | None = None


async def read(session: ReadSession, scope: str) -> Allowlist:
    found = await store.find(session, scope)
    if found is None:
        raise AllowlistNotFound
    return found


async def replace(db: Database, edge: Edge, change: ListChange) -> tuple[Allowlist, bool]:
    """The new list, and whether the edge has confirmed it. The commit comes before publishing:
    the edge never enforces what the store does not hold."""
    networks = _checked(change)
    async with db.write() as session:
        changed_at: datetime = await store.replace(session, change.scope, networks, change.user)
        tenant = None if change.scope == GLOBAL else UUID(change.scope)
        await outbox.add(session, AllowlistChanged(tenant=tenant))
    return Allowlist(networks, changed_at), await edge.publish()


def _checked(change: ListChange) -> list[str]:
    try:
        networks = list(ranges.checked(change.ranges))
    except ranges.RangesRefused as refused:
        errors = [{"pointer": f"/ranges/{n}", "message": why} for n, why in refused.reasons.items()]
        raise RequestInvalid(errors=errors) from None
    if change.must_hold is not None and not ranges.holds(networks, change.must_hold):
        raise OwnAddressOutside
    return networks
