"""Settings of the gateway: where the edge listens, what lies behind it, and who may reach it."""

from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from contracts.settings import ServiceSettings
from gateway.public_paths import Upstream
from gateway.ranges import RangesRefused, checked

_SOCKET_PATH_LIMIT = 107


def _ranges(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return checked(texts)
    except RangesRefused as refused:
        raise ValueError(str(refused)) from None


class GatewaySettings(ServiceSettings):
    """`global_ranges` is where the global list starts; there is no default, least of all an open
    one. `trusted_hops` counts the proxies in front of the edge that append to X-Forwarded-For."""

    edge_dir: Path
    edge_host: str = "127.0.0.1"
    edge_port: int = 8443
    edge_metrics_port: int = 9443
    certificate_file: Path
    certificate_key_file: Path
    global_ranges: Annotated[tuple[str, ...], AfterValidator(_ranges)] = Field(min_length=1)
    trusted_hops: int = 0
    access_log: Path = Path("/dev/stdout")
    max_connections: int = 10_000
    client_requests_per_s: int = 100
    tenant_requests_per_s: int = 500
    keys_refreshed_every_s: int = 30
    sync_url: str
    backup_url: str
    gateway_url: str

    @cached_property
    def admin_socket(self) -> Path:
        """Envoy's admin interface; a unix socket in our own folder, never a port."""
        path = self.edge_dir / "admin.sock"
        if len(str(path)) > _SOCKET_PATH_LIMIT:
            raise ValueError(f"too long for a unix socket: {path}")
        return path

    def upstream(self, name: Upstream) -> tuple[str, int]:
        """Host and port of a service."""
        parts = urlsplit(getattr(self, f"{name}_url"))
        if not parts.hostname or not parts.port:
            raise ValueError(f"{name}_url needs a host and a port")
        return parts.hostname, parts.port
