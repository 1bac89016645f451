"""The egress guard: the only way out towards a CRM; what breaks a rule sends nothing."""

from services.sync.egress.calls import Call, CallLedger, Reply
from services.sync.egress.guard import Egress
from services.sync.egress.injected import InjectedName
from services.sync.egress.limits import CallLimits, ListLimits
from services.sync.egress.refusals import (
    AddressRefused,
    CallFailed,
    CertificateRefused,
    CertificateRevoked,
    ReplyRefused,
    RevocationUnknown,
)
from services.sync.egress.urls import Destination, origin, target

__all__ = [
    "AddressRefused",
    "Call",
    "CallFailed",
    "CallLedger",
    "CallLimits",
    "CertificateRefused",
    "CertificateRevoked",
    "Destination",
    "Egress",
    "InjectedName",
    "ListLimits",
    "Reply",
    "ReplyRefused",
    "RevocationUnknown",
    "origin",
    "target",
]
