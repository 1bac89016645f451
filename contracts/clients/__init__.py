"""Typed clients of the services' internal routes."""

from contracts.clients.tenants import (
    ChangedRecord,
    ChangePage,
    Lease,
    TenantEntries,
    TenantEntry,
    TenantsClient,
)

__all__ = ["ChangePage", "ChangedRecord", "Lease", "TenantEntries", "TenantEntry", "TenantsClient"]
