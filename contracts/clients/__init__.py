"""Typed clients of the services' internal routes."""

from contracts.clients.tenants import (
    ChangedRecord,
    ChangePage,
    Lease,
    TenantEntry,
    TenantsClient,
)

__all__ = ["ChangePage", "ChangedRecord", "Lease", "TenantEntry", "TenantsClient"]
