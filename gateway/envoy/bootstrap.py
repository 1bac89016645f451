"""What Envoy starts with: where the files are, its admin socket, and the metrics port."""

from gateway.envoy import pause
from gateway.envoy.shapes import Resource, from_file, named, socket, typed
from gateway.settings import GatewaySettings

_ADMIN = "admin"
_LOG_LINE = {
    "at": "%Y-%m-%dT%T.%e%z",
    "level": "%l",
    "service": "edge",
    "logger": "%n",
    "message": "%j",
}
_RUNTIME = {
    # Expressions for paths are ours alone; Envoy's limit of 100 is meant for foreign ones.
    "re2.max_program_size.error_level": 1000,
    # A second host over HTTP/2 is for head.lua to refuse, as over HTTP/1.1.
    "envoy.reloadable_features.http2_discard_host_header": False,
}


def render(settings: GatewaySettings) -> Resource:
    return {
        "node": {"id": "edge", "cluster": "bulkhead"},
        "admin": {"address": {"pipe": {"path": str(settings.admin_socket), "mode": 0o600}}},
        "dynamic_resources": {
            "lds_config": from_file(settings.edge_dir / "lds.json"),
            "cds_config": from_file(settings.edge_dir / "cds.json"),
        },
        "static_resources": {
            "listeners": [_metrics(settings), pause.listener(settings)],
            "clusters": [_admin_cluster(settings), pause.cluster(settings)],
        },
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _RUNTIME}]},
        "overload_manager": _overload(settings),
        "application_log_config": {"log_format": {"json_format": _LOG_LINE}},
    }


def _overload(settings: GatewaySettings) -> Resource:
    """More connections than the limit are closed at once. As memory runs out, idle connections are
    kept for a shorter time, then requests are refused, then connections; metrics go on."""
    heap = "envoy.resource_monitors.fixed_heap"
    connections = "envoy.resource_monitors.global_downstream_max_connections"
    shorter = typed(
        "envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
        timer_scale_factors=[
            {"timer": "HTTP_DOWNSTREAM_CONNECTION_IDLE", "min_timeout": "2s"},
            {"timer": "TRANSPORT_SOCKET_CONNECT", "min_timeout": "1s"},
        ],
    )
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            named(
                connections,
                "envoy.extensions.resource_monitors.downstream_connections.v3"
                ".DownstreamConnectionsConfig",
                max_active_downstream_connections=settings.max_connections,
            ),
            named(
                heap,
                "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=settings.edge_memory_mib * 1024 * 1024,
            ),
        ],
        "actions": [
            _action("reduce_timeouts", heap, {"scaled": _between(0.7, 0.9)})
            | {"typed_config": shorter},
            _action("shrink_heap", heap, {"threshold": {"value": 0.9}}),
            _action("stop_accepting_requests", heap, {"threshold": {"value": 0.95}}),
            _action("stop_accepting_connections", heap, {"threshold": {"value": 0.98}}),
        ],
    }


def _action(name: str, monitor: str, trigger: Resource) -> Resource:
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": monitor, **trigger}]}


def _between(low: float, high: float) -> Resource:
    return {"scaling_threshold": low, "saturation_threshold": high}


def _metrics(settings: GatewaySettings) -> Resource:
    """GET /metrics and /ready, and nothing else of the admin interface, which is never on TCP."""
    routes = [
        _to_admin("/metrics", "/stats/prometheus"),
        _to_admin("/ready", "/ready"),
        {"match": {"prefix": "/"}, "direct_response": {"status": 404}},
    ]
    manager = named(
        "http",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="metrics",
        request_headers_timeout="5s",
        stream_idle_timeout="30s",
        route_config={"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": routes}]},
        http_filters=[named("router", "envoy.extensions.filters.http.router.v3.Router")],
    )
    return {
        "name": "metrics",
        "address": socket(settings.edge_host, settings.edge_metrics_port),
        "ignore_global_conn_limit": True,
        "bypass_overload_manager": True,
        "filter_chains": [{"filters": [manager]}],
    }


def _to_admin(path: str, target: str) -> Resource:
    return {
        "match": {
            "path": path,
            "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
        },
        "route": {"cluster": _ADMIN, "prefix_rewrite": target},
    }


def _admin_cluster(settings: GatewaySettings) -> Resource:
    address = {"pipe": {"path": str(settings.admin_socket)}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": _ADMIN,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": _ADMIN, "endpoints": endpoints},
    }
