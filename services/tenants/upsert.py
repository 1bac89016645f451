"""Writes a batch of rows: all of them or none, unless the caller asked to skip what is bad."""

from contracts.access import Person
from contracts.credentials import Actor
from kit.problems import Conflict
from services.tenants import refusals, visibility
from services.tenants.rows import Batch
from services.tenants.schemas import BulkOutcome, FailedRow
from services.tenants.store import upsert as store
from tenantdb import TenantSession


async def write(
    session: TenantSession, actor: Actor, batch: Batch, action: str, *, skips: bool
) -> BulkOutcome:
    """Create and update by key within the scope of the action.

    With `skips`, bad rows are reported and the others written; without, any bad row refuses all.
    """
    _refuse_unless(skips, batch)
    module = batch.module
    binds = store.binds_for(
        module.name, [row.text for row in batch.rows], module.required, actor.user
    )
    scope = visibility.narrowest(actor.grants, f"{module.name}.{action}", f"{module.name}.view")
    condition = visibility.where(scope, Person(actor.user), binds)
    outcome = await store.upsert(session, condition, binds)
    if outcome.raced:
        raise Conflict("another request was creating the same records: send this one again")
    batch.refuse_keys(outcome.hidden, "/key", "belongs to a record outside your scope")
    batch.refuse_keys(outcome.incomplete, "/fields", _lacks(module.required))
    _refuse_unless(skips, batch)
    return BulkOutcome(
        created=outcome.created,
        updated=outcome.updated,
        unchanged=outcome.unchanged,
        failed=[FailedRow(**fault) for fault in refusals.reported(batch.faults)],
        failed_lines=len({fault.line for fault in batch.faults}),
    )


def _refuse_unless(skips: bool, batch: Batch) -> None:
    if batch.faults and not skips:
        refusals.refuse_rows(batch.faults)


def _lacks(required: list[str]) -> str:
    return f"there is no record with this key, and a new one needs {', '.join(required)}"
