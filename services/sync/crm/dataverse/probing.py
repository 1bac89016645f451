"""A look before anything is saved: token, identity, certificates, and each mapped table."""

from collections.abc import Mapping

from services.sync.connection import ModuleMapping
from services.sync.crm.certificates import revocation, unreached
from services.sync.crm.dataverse.environment import (
    FAILURES,
    Environment,
    TableMissing,
    outcome_of,
)
from services.sync.crm.dataverse.metadata import Column, Table
from services.sync.crm.dataverse.sign_in import SignInRefused
from services.sync.crm.outcome import Outcome, Verdict
from services.sync.crm.port import Probe, ProbeStep
from services.sync.egress import AddressRefused, CallFailed


async def probe(environment: Environment) -> Probe:
    """Look at everything a push will need; sends no record data."""
    steps = [await _token(environment)]
    if not steps[-1].reason:
        steps.append(await _identity(environment))
    if not steps[-1].reason:
        steps.append(revocation(environment.egress, environment.address.hosts))
    for name, mapping in environment.connection.modules.items():
        if steps[-1].reason:
            break
        steps.append(await _table(environment, name, mapping))
    return Probe(tuple(steps))


async def examine(environment: Environment, mapping: ModuleMapping) -> Outcome | None:
    """Why no row of the mapping can be accepted, by what the CRM says of its table; or None."""
    try:
        table = await environment.table(mapping.table)
        columns = await environment.columns(table.logical_name)
    except FAILURES as failure:
        return outcome_of(failure)
    fault = _key_fault(table, mapping) or _field_fault(columns, mapping)
    return Outcome(Verdict.BROKEN, fault) if fault else None


async def _token(environment: Environment) -> ProbeStep:
    try:
        await environment.sign_in()
    except SignInRefused as refused:
        return ProbeStep("token", refused.outcome.reason)
    except (CallFailed, AddressRefused) as failure:
        return unreached("token", environment.address.authority_host, failure)
    return ProbeStep("token")


async def _identity(environment: Environment) -> ProbeStep:
    try:
        reply = await environment.who_am_i()
    except SignInRefused as refused:
        return ProbeStep("identity", refused.outcome.reason)
    except (CallFailed, AddressRefused) as failure:
        return unreached("identity", environment.address.environment_host, failure)
    if reply.status != 200:
        reason = f"the CRM refuses this application user (status {reply.status})"
        return ProbeStep("identity", reason)
    return ProbeStep("identity")


async def _table(environment: Environment, module: str, mapping: ModuleMapping) -> ProbeStep:
    step = f"module {module}"
    try:
        table = await environment.table(mapping.table)
        columns = await environment.columns(table.logical_name)
    except TableMissing:
        return ProbeStep(step, f"the CRM has no table {mapping.table!r}")
    except SignInRefused as refused:
        return ProbeStep(step, refused.outcome.reason)
    except (CallFailed, AddressRefused) as failure:
        return ProbeStep(step, failure.reason)
    return ProbeStep(step, _key_fault(table, mapping) or _field_fault(columns, mapping))


def _key_fault(table: Table, mapping: ModuleMapping) -> str:
    wanted = [mapping.key_attribute]
    key = next((key for key in table.keys if key.key_attributes == wanted), None)
    if key is None:
        return f"{mapping.key_attribute!r} is not an alternate key of {mapping.table!r}"
    status = key.entity_key_index_status
    if status != "Active":
        return f"the index of the alternate key {mapping.key_attribute!r} is {status.lower()}"
    return ""


def _field_fault(columns: Mapping[str, Column], mapping: ModuleMapping) -> str:
    for name in mapping.fields.values():
        column = columns.get(name)
        if column is None:
            return f"the table {mapping.table!r} has no column {name!r}"
        if not (column.is_valid_for_create and column.is_valid_for_update):
            return f"the column {name!r} cannot be written"
    return ""
