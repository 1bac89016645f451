"""The upstreams of the edge: one cluster per service, checked at /livez."""

from ipaddress import ip_address

from gateway.envoy.shapes import Resource, socket, typed
from gateway.public_paths import PUBLIC_PATHS, UPSTREAMS
from gateway.settings import GatewaySettings

_CONNECTIONS, _UPLOADS = 256, 64
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def render(settings: GatewaySettings) -> list[Resource]:
    """One for what is whole when it is passed on, a small one for uploads, which may be slow."""
    uploads = {path.cluster: path.upstream for path in PUBLIC_PATHS if path.large}
    return [
        *(_cluster(name, settings.upstream(name), _CONNECTIONS) for name in UPSTREAMS),
        *(_cluster(name, settings.upstream(to), _UPLOADS) for name, to in uploads.items()),
    ]


def _cluster(name: str, address: tuple[str, int], most: int) -> Resource:
    host, port = address
    endpoint = {"endpoint": {"address": socket(host, port)}}
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="STATIC" if _is_numeric(host) else "STRICT_DNS",
        connect_timeout="1s",
        per_connection_buffer_limit_bytes=65536,
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        # /livez and not /readyz, on purpose: a service without its broker still answers reads.
        health_checks=[
            {
                "timeout": "1s",
                "interval": "2s",
                "no_traffic_interval": "2s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/livez"},
            }
        ],
        circuit_breakers={
            "thresholds": [
                {"max_connections": most, "max_pending_requests": most, "max_retries": 64}
            ]
        },
        typed_extension_protocol_options={
            _HTTP: typed(
                _HTTP,
                explicit_http_config={"http_protocol_options": {}},
                # Shorter than the services' own 30 s: an idle connection is ours to close first.
                common_http_protocol_options={"idle_timeout": "20s"},
            )
        },
    )


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
