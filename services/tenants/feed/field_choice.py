"""The customer's choice of fields per connection: what is not chosen never leaves the database."""

from collections.abc import Container, Sequence
from uuid import UUID

from services.tenants.feed import registration
from services.tenants.feed.store import field_choice as store
from services.tenants.problems import ConnectionNotRegistered
from services.tenants.records import refusals, single
from services.tenants.records.fields import Fault
from tenantdb import TenantSession, names
from tenantdb.cluster import Cluster

_NOT_REGISTERED = (
    "this tenant has no such connection, or one so new that it is not known here yet: "
    "ask again in a minute"
)
_NOT_MAPPED = "is a field that the connection does not map: change its mapping first"


async def get(session: TenantSession, connection: UUID, module: str) -> list[str]:
    """The chosen fields, in the order of the module."""
    await single.load_module(session, module)
    return await store.get(session, connection, module)


async def put(
    session: TenantSession, connection: UUID, module: str, fields: Sequence[str]
) -> list[str]:
    """Choose exactly these fields, which the connection maps; none closes the module to it.

    Raises ConnectionNotRegistered; a choice that there is can be withdrawn even then.
    """
    definition = await single.load_module(session, module)
    mapped = await registration.mapped(session, connection, module)
    if mapped is None and (fields or not await store.get(session, connection, module)):
        raise ConnectionNotRegistered(_NOT_REGISTERED)
    if faults := _faults(fields, definition.fields, mapped or ()):
        refusals.refuse(faults)
    await store.put(session, connection, module, sorted(set(fields)))
    return await store.get(session, connection, module)


def _faults(
    fields: Sequence[str], known: Container[str], mapped: Container[str]
) -> Sequence[Fault]:
    return [
        Fault(f"/fields/{index}", _NOT_MAPPED if name in known else "names no field of this module")
        for index, name in enumerate(fields)
        if name not in known or name not in mapped
    ]


async def forget(cluster: Cluster, database: str, connection: UUID) -> None:
    """Remove all of a connection that is gone, whatever state its tenant is in."""
    owner = names.owner_of(database)
    async with cluster.inside(database, owner, actor="service:tenants") as inside:
        await registration.forget(inside, connection)
