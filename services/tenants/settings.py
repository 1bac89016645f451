"""Settings of the tenants service."""

from typing import Self

from pydantic import Field, model_validator

from contracts.setting_values import Folder, KeyFile
from contracts.settings import ServiceSettings


class TenantsSettings(ServiceSettings):
    """`kek_file` holds the key that wraps every tenant's key.

    `connection_budget` counts connections to tenant databases over all tenants; several processes
    have to divide the server's max_connections among themselves.
    `space_per_tenant` bounds what a tenant stores in PostgreSQL, in bytes. `data_volume` is a
    folder on PostgreSQL's volume, if this process sees one, else `data_volume_bytes` is how much
    that volume holds: with less than `free_floor` bytes free there, the largest tenants are stopped
    first.
    """

    kek_file: KeyFile
    connection_budget: int = Field(60, ge=1, le=10_000)
    connections_per_tenant: int = Field(6, ge=1)
    space_per_tenant: int = Field(20 << 30, ge=1)
    free_floor: int = Field(2 << 30, ge=1)
    data_volume: Folder | None = None
    data_volume_bytes: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _the_volume_is_told_in_one_way(self) -> Self:
        if self.data_volume is not None and self.data_volume_bytes is not None:
            raise ValueError("BULKHEAD_DATA_VOLUME and BULKHEAD_DATA_VOLUME_BYTES are both set")
        return self

    @model_validator(mode="after")
    def _a_tenant_has_no_more_than_there_is(self) -> Self:
        if self.connections_per_tenant > self.connection_budget:
            raise ValueError(
                "BULKHEAD_CONNECTIONS_PER_TENANT is more than BULKHEAD_CONNECTION_BUDGET"
            )
        return self
