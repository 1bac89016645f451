"""Which connections there are and what they map, as sync tells it: no choice goes beyond that."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.tenants.feed.store import field_choice, mapping
from tenantdb import TenantSession
from tenantdb.budget import Connection


async def put(
    session: TenantSession, connection: UUID, modules: Mapping[str, Sequence[str]]
) -> bool:
    """The connection maps exactly this; returns whether that is news.

    A choice of what is no longer mapped stays, and nothing of it leaves.
    """
    return await mapping.put(session, connection, modules)


async def mapped(session: TenantSession, connection: UUID, module: str) -> frozenset[str] | None:
    """The fields of a module that a connection maps; None where there is no such connection."""
    modules = await mapping.get(session, connection)
    return None if modules is None else frozenset(modules.get(module, ()))


async def forget(inside: TenantSession | Connection, connection: UUID) -> None:
    """Forget a connection that is gone, and what was chosen for it; may be repeated."""
    await field_choice.forget(inside, connection)
    await mapping.forget(inside, connection)
