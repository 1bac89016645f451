"""Writes checked rows: all of them or none, unless the caller asked to skip what is bad."""

from contracts.access import Person
from contracts.credentials import Actor
from kit.problems import Conflict
from services.tenants.records import visibility
from services.tenants.records.many import refused_rows
from services.tenants.records.many.checking import Answer
from services.tenants.records.modules import Module
from services.tenants.records.store import upsert as store
from services.tenants.schemas import BulkOutcome, FailedRow
from tenantdb import TenantSession


async def write(
    session: TenantSession,
    actor: Actor,
    module: Module,
    checked: Answer,
    action: str,
    *,
    skips: bool,
) -> BulkOutcome:
    """Create and update by key within the scope of the action.

    With `skips`, bad rows are reported and the others written; without, any bad row refuses all.
    """
    if checked.faults and not skips:
        refused_rows.refuse(checked.faults)
    binds = store.binds_for(module.name, checked.rows, module.required, actor.user)
    scope = visibility.narrowest(actor.grants, f"{module.name}.{action}", f"{module.name}.view")
    condition = visibility.where(scope, Person(actor.user), binds)
    outcome = await store.upsert(session, condition, binds)
    if outcome.raced:
        raise Conflict("another request was creating the same records: send this one again")
    late = checked.faults_of(outcome.hidden, "/key", "belongs to a record outside your scope")
    late += checked.faults_of(outcome.incomplete, "/fields", _lacks(module.required))
    if late and not skips:
        refused_rows.refuse(late)
    return BulkOutcome(
        created=outcome.created,
        updated=outcome.updated,
        unchanged=outcome.unchanged,
        failed=[FailedRow(**fault) for fault in refused_rows.reported([*checked.faults, *late])],
        failed_lines=checked.failed_lines + len(late),
    )


def _lacks(required: list[str]) -> str:
    return f"there is no record with this key, and a new one needs {', '.join(required)}"
