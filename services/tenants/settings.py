"""Settings of the tenants service."""

from pathlib import Path

from contracts.settings import ServiceSettings


class TenantsSettings(ServiceSettings):
    """`kek_file` holds the key that wraps every tenant's key.

    `connection_budget` counts connections to tenant databases over all tenants; several processes
    have to divide the server's max_connections among themselves.
    """

    kek_file: Path
    connection_budget: int = 60
    connections_per_tenant: int = 6
