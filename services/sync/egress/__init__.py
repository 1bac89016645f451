"""The egress guard: the only way out towards a CRM; what breaks a rule sends nothing."""

from services.sync.egress.calls import Call, CallLedger, Reply
from services.sync.egress.guard import CallLimits, Egress
from services.sync.egress.injected import InjectedName
from services.sync.egress.refusals import (
    AddressRefused,
    CallFailed,
    CertificateRefused,
    ReplyRefused,
)
from services.sync.egress.urls import Destination, origin, target

__all__ = [
    "AddressRefused",
    "Call",
    "CallFailed",
    "CallLedger",
    "CallLimits",
    "CertificateRefused",
    "Destination",
    "Egress",
    "InjectedName",
    "Reply",
    "ReplyRefused",
    "origin",
    "target",
]
