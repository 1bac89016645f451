"""Customers' CRMs behind one port; nothing outside of this package knows any kind of them."""

from services.sync.crm.kinds import (
    KINDS,
    ConnectionList,
    ConnectionView,
    NewConnection,
    connection_of,
    stored_address,
    view_of,
)
from services.sync.crm.outcome import Outcome, Verdict
from services.sync.crm.port import Crm, CrmKind, Probe, ProbeStep, RowForm, RowWrite, Sent

__all__ = [
    "KINDS",
    "ConnectionList",
    "ConnectionView",
    "Crm",
    "CrmKind",
    "NewConnection",
    "Outcome",
    "Probe",
    "ProbeStep",
    "RowForm",
    "RowWrite",
    "Sent",
    "Verdict",
    "connection_of",
    "stored_address",
    "view_of",
]
