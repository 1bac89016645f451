"""The tenant database: template, the only way in, journal positions, and its provisioning."""

from tenantdb.connect import Address, TenantDatabaseRefused, TenantDatabases, TransactionLost
from tenantdb.session import TenantSession, array

__all__ = [
    "Address",
    "TenantDatabaseRefused",
    "TenantDatabases",
    "TenantSession",
    "TransactionLost",
    "array",
]
