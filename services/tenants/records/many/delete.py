"""Deletes many records at once: all of them or none, unless the caller asked to skip."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from contracts.access import Person
from contracts.credentials import Actor
from services.tenants.records import refusals, single, visibility
from services.tenants.records.fields import Fault
from services.tenants.records.many.batch import MAX_REPORTED
from services.tenants.records.placeholders import Binds
from services.tenants.records.store import records as store
from services.tenants.schemas import DeleteOutcome, FailedId
from tenantdb import TenantSession


async def delete_many(
    session: TenantSession, actor: Actor, name: str, ids: Sequence[UUID], *, skips: bool
) -> DeleteOutcome:
    """Delete the records that the caller may both view and delete; the others are faults."""
    await single.load_module(session, name)
    binds = Binds(name)
    scope = visibility.narrowest(actor.grants, f"{name}.delete", f"{name}.view")
    condition = visibility.where(scope, Person(actor.user), binds)
    deleted = await store.delete_many(session, name, ids, condition, binds)
    missing = (index for index, record in enumerate(ids) if record not in deleted)
    faults = [
        Fault(f"/ids/{index}", "no such record within your scope")
        for index in islice(missing, MAX_REPORTED)
    ]
    if faults and not skips:
        refusals.refuse(faults)
    failed = [FailedId(pointer=fault.pointer, message=fault.message) for fault in faults]
    return DeleteOutcome(deleted=len(deleted), failed=failed)
