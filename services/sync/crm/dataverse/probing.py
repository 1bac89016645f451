"""A look before anything is saved: token, identity, certificates, and each mapped table."""

from collections.abc import Awaitable, Callable

from services.sync.connection import ModuleMapping
from services.sync.crm.certificates import revocation, unreached
from services.sync.crm.dataverse.environment import Environment
from services.sync.crm.dataverse.sign_in import SignInRefused
from services.sync.crm.port import Probe, ProbeStep, Target
from services.sync.crm.verdict import Verdict
from services.sync.egress import AddressRefused, CallFailed

Ask = Callable[[ModuleMapping], Awaitable[Target | Verdict]]


async def probe(environment: Environment, ask: Ask) -> Probe:
    """Look at everything a push will need; `ask` describes a table. Sends no record data."""
    steps = [await _token(environment)]
    if not steps[-1].reason:
        steps.append(await _identity(environment))
    if not steps[-1].reason:
        steps.append(revocation(environment.egress, environment.address.hosts))
    for name, mapping in environment.connection.modules.items():
        if steps[-1].reason:
            break
        steps.append(await _table(ask, name, mapping))
    return Probe(tuple(steps))


async def _token(environment: Environment) -> ProbeStep:
    try:
        await environment.sign_in()
    except SignInRefused as refused:
        return ProbeStep("token", refused.verdict.reason)
    except (CallFailed, AddressRefused) as failure:
        return unreached("token", environment.address.authority_host, failure)
    return ProbeStep("token")


async def _identity(environment: Environment) -> ProbeStep:
    try:
        reply = await environment.who_am_i()
    except SignInRefused as refused:
        return ProbeStep("identity", refused.verdict.reason)
    except (CallFailed, AddressRefused) as failure:
        return unreached("identity", environment.address.environment_host, failure)
    if reply.status != 200:
        reason = f"the CRM refuses this application user (status {reply.status})"
        return ProbeStep("identity", reason)
    return ProbeStep("identity")


async def _table(ask: Ask, module: str, mapping: ModuleMapping) -> ProbeStep:
    target = await ask(mapping)
    reason = target.reason if isinstance(target, Verdict) else next(iter(target.faults), "")
    return ProbeStep(f"module {module}", reason)
