"""A look before anything is saved: token, identity, and each mapped table, key and field."""

from services.sync.connection import ModuleMapping
from services.sync.crm.dataverse.describing import describe
from services.sync.crm.dataverse.environment import FAILURES, Environment, outcome_of
from services.sync.crm.dataverse.tokens import SignInRefused
from services.sync.crm.port import Probe, ProbeStep
from services.sync.egress import AddressRefused, CallFailed


async def probe(environment: Environment) -> Probe:
    """Look at everything a push will need; sends no record data."""
    steps = [await _token(environment)]
    if not steps[-1].reason:
        steps.append(await _identity(environment))
    for name, mapping in environment.connection.modules.items():
        if steps[-1].reason:
            break
        steps.append(await _table(environment, name, mapping))
    return Probe(tuple(steps))


async def _token(environment: Environment) -> ProbeStep:
    try:
        await environment.sign_in()
    except SignInRefused as refused:
        return ProbeStep("token", refused.outcome.reason)
    except (CallFailed, AddressRefused) as failure:
        return ProbeStep("token", f"{environment.address.authority_host}: {failure.reason}")
    return ProbeStep("token")


async def _identity(environment: Environment) -> ProbeStep:
    try:
        reply = await environment.who_am_i()
    except SignInRefused as refused:
        return ProbeStep("identity", refused.outcome.reason)
    except (CallFailed, AddressRefused) as failure:
        host = environment.address.environment_host
        return ProbeStep("identity", f"{host}: {failure.reason}")
    if reply.status != 200:
        reason = f"the CRM refuses this application user (status {reply.status})"
        return ProbeStep("identity", reason)
    return ProbeStep("identity")


async def _table(environment: Environment, module: str, mapping: ModuleMapping) -> ProbeStep:
    step = f"module {module}"
    try:
        target = await describe(environment, mapping)
    except FAILURES as failure:
        return ProbeStep(step, outcome_of(failure).reason)
    return ProbeStep(step, next(iter(target.faults), ""))
