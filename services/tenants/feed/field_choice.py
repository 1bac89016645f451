"""The customer's choice of fields per connection: what is not chosen never leaves the database."""

from collections.abc import Sequence
from uuid import UUID

from services.tenants.feed.store import field_choice as store
from services.tenants.records import refusals, single
from services.tenants.records.fields import Fault
from tenantdb import TenantSession, names
from tenantdb.cluster import Cluster


async def get(session: TenantSession, connection: UUID, module: str) -> list[str]:
    """The chosen fields, in the order of the module."""
    await single.load_module(session, module)
    return await store.get(session, connection, module)


async def put(
    session: TenantSession, connection: UUID, module: str, fields: Sequence[str]
) -> list[str]:
    """Choose exactly these fields; none closes the module to the connection."""
    definition = await single.load_module(session, module)
    faults = [
        Fault(f"/fields/{index}", "names no field of this module")
        for index, name in enumerate(fields)
        if name not in definition.fields
    ]
    if faults:
        refusals.refuse(faults)
    await store.put(session, connection, module, sorted(set(fields)))
    return await store.get(session, connection, module)


async def forget(cluster: Cluster, database: str, connection: UUID) -> None:
    """Remove every choice of a connection that is gone, whatever state its tenant is in."""
    owner = names.owner_of(database)
    async with cluster.inside(database, owner, actor="service:tenants") as inside:
        await store.forget(inside, connection)
