"""Settings of the gateway: where the edge listens, what lies behind it, and who may reach it."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from contracts.setting_values import AbsolutePath, Address, Port, ReadableFile, Texts
from contracts.settings import ServiceSettings
from gateway.origins import checked as checked_origins
from gateway.public_paths import Upstream
from gateway.ranges import RangesRefused, checked

_SOCKET, _SOCKET_PATH_LIMIT = "admin.sock", 107


def _ranges(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return checked(texts)
    except RangesRefused as refused:
        raise ValueError(str(refused)) from None


Ranges = Annotated[Texts, AfterValidator(_ranges)]


class GatewaySettings(ServiceSettings):
    """`global_ranges` is where the global list starts; there is no default, least of all an open
    one.

    Whose address counts: `trusted_hops` is the number of proxies in front of the edge that append
    to X-Forwarded-For; `proxied_ranges` are the addresses of load balancers that speak the PROXY
    protocol (version 2) on `edge_proxied_port`; `callers_hidden` says that something in front hides
    the callers and cannot name them. At most one of the three. `reserved_ranges` find a free
    connection when everybody else has taken all but `reserved_connections`.
    """

    edge_dir: AbsolutePath
    edge_host: str = "127.0.0.1"
    edge_port: Port = 8443
    edge_proxied_port: Port = 8444
    edge_metrics_port: Port = 9443
    certificate_file: ReadableFile
    certificate_key_file: ReadableFile
    global_ranges: Ranges = Field(min_length=1)
    trusted_hops: int = Field(0, ge=0, le=16)
    proxied_ranges: Ranges = ()
    callers_hidden: bool = False
    access_log: Path = Path("/dev/stdout")
    max_connections: int = Field(10_000, ge=1)
    reserved_ranges: Ranges = ()
    reserved_connections: int = Field(100, ge=0)
    edge_memory_mib: int = Field(400, ge=64)
    client_requests_per_s: int = Field(100, ge=1)
    tenant_requests_per_s: int = Field(500, ge=1)
    keys_refreshed_every_s: int = Field(30, ge=1)
    cors_origins: Annotated[Texts, AfterValidator(checked_origins)] = ()
    sync_url: Address
    backup_url: Address
    gateway_url: Address

    @field_validator("auth_url", "tenants_url", "sync_url", "backup_url", "gateway_url")
    @classmethod
    def _is_plain_with_a_port(cls, address: str) -> str:
        """The edge speaks plain HTTP to the services; it would drop another scheme."""
        parts = urlsplit(address)
        if parts.scheme != "http" or parts.port is None:
            raise ValueError("is not an address such as http://auth:8000, with its port")
        return address

    @field_validator("edge_dir")
    @classmethod
    def _holds_a_socket(cls, folder: Path) -> Path:
        if len(str(folder / _SOCKET)) > _SOCKET_PATH_LIMIT:
            raise ValueError("is too long a path for a unix socket in it")
        return folder

    @model_validator(mode="after")
    def _one_word_on_whose_address_counts(self) -> Self:
        said = [self.trusted_hops > 0, bool(self.proxied_ranges), self.callers_hidden]
        if sum(said) > 1:
            raise ValueError(
                "BULKHEAD_TRUSTED_HOPS, BULKHEAD_PROXIED_RANGES and BULKHEAD_CALLERS_HIDDEN "
                "exclude each other"
            )
        if self.reserved_connections >= self.max_connections:
            raise ValueError(
                "BULKHEAD_RESERVED_CONNECTIONS is not less than BULKHEAD_MAX_CONNECTIONS"
            )
        return self

    @cached_property
    def admin_socket(self) -> Path:
        """Envoy's admin interface; a unix socket in our own folder, never a port."""
        return self.edge_dir / _SOCKET

    def upstream(self, name: Upstream) -> tuple[str, int]:
        """Host and port of a service."""
        parts = urlsplit(getattr(self, f"{name}_url"))
        return str(parts.hostname), int(parts.port or 0)
