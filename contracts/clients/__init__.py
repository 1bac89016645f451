"""Typed clients of the services' internal routes, and what those routes take and give."""

from contracts.clients.tenants import TenantsClient
from contracts.clients.tenants_bodies import (
    ChangedRecord,
    ChangePage,
    Lease,
    MappedModules,
    NewLease,
    NewTarget,
    PresentRecord,
    PresentRecords,
    RecordCounts,
    RecordsAsked,
    Swap,
    TargetName,
    TenantEntries,
    TenantEntry,
)

__all__ = [
    "ChangePage",
    "ChangedRecord",
    "Lease",
    "MappedModules",
    "NewLease",
    "NewTarget",
    "PresentRecord",
    "PresentRecords",
    "RecordCounts",
    "RecordsAsked",
    "Swap",
    "TargetName",
    "TenantEntries",
    "TenantEntry",
    "TenantsClient",
]
