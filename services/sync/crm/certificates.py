"""What a probe says of the certificates of a CRM: which lists were looked into, if any."""

from collections.abc import Iterable

from kit import clock
from services.sync.crm.port import ProbeStep
from services.sync.egress import (
    AddressRefused,
    CallFailed,
    CertificateRevoked,
    Egress,
    RevocationUnknown,
)
from services.sync.revocation import told

REVOCATION = "revocation"


def revocation(egress: Egress, hosts: Iterable[str]) -> ProbeStep:
    """The step for hosts that have answered: well, with what is known as its note."""
    found = {host: egress.findings(host) for host in sorted(hosts)}
    now = clock.now()
    notes = [f"{host}: {told(one, now)}" for host, one in found.items() if one is not None]
    return ProbeStep(REVOCATION, note=". ".join(notes))


def unreached(step: str, host: str, failure: CallFailed | AddressRefused) -> ProbeStep:
    """The step that a call failed in; one that fails for a revoked certificate has its own name."""
    is_revocation = isinstance(failure, CertificateRevoked | RevocationUnknown)
    return ProbeStep(REVOCATION if is_revocation else step, f"{host}: {failure.reason}")
