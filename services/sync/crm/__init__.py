"""Customers' CRMs behind one port; nothing outside of this package knows any kind of them."""

from services.sync.crm.kinds import (
    KINDS,
    ConnectionChange,
    ConnectionList,
    ConnectionView,
    NewConnection,
    address_with,
    connection_of,
    stored_address,
    view_of,
)
from services.sync.crm.port import (
    Converted,
    Crm,
    CrmKind,
    Probe,
    ProbeStep,
    RowWrite,
    Sent,
    Target,
)
from services.sync.crm.verdict import Meaning, RowForm, Verdict

__all__ = [
    "KINDS",
    "ConnectionChange",
    "ConnectionList",
    "ConnectionView",
    "Converted",
    "Crm",
    "CrmKind",
    "Meaning",
    "NewConnection",
    "Probe",
    "ProbeStep",
    "RowForm",
    "RowWrite",
    "Sent",
    "Target",
    "Verdict",
    "address_with",
    "connection_of",
    "stored_address",
    "view_of",
]
