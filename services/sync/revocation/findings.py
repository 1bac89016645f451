"""What was found out about the certificates of a host, and how it is told; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# What becomes of a call where no list can be had: a setting of each kind of CRM.
Unlisted = Literal["refuse", "accept"]


@dataclass(frozen=True)
class Finding:
    """Of one certificate that is not revoked: the list that was looked into, or why there is none.

    `place` is ours ("the certificate", "authority 1"): a certificate's own words are a stranger's.
    """

    place: str
    list_host: str = ""
    issued_at: datetime | None = None
    missing: str = ""


def told(findings: Sequence[Finding], now: datetime) -> str:
    """One sentence for whoever looks at a connection."""
    parts = [_part(finding, now) for finding in findings]
    return "; ".join(parts) or "its certificate is an anchor of trust itself"


def _part(finding: Finding, now: datetime) -> str:
    if finding.issued_at is None:
        return f"{finding.place}: accepted although no list could be had ({finding.missing})"
    return f"{finding.place}: not revoked by the list of {finding.list_host}, {_age(finding, now)}"


def _age(finding: Finding, now: datetime) -> str:
    assert finding.issued_at is not None
    hours = int((now - finding.issued_at).total_seconds() // 3600)
    if hours < 1:
        return "less than an hour old"
    return f"{hours} h old" if hours < 48 else f"{hours // 24} days old"
