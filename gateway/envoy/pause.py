"""A moment of waiting for head.lua, which has no clock: an address in Envoy that answers late."""

from gateway.envoy.arrival import PAUSE
from gateway.envoy.shapes import Resource, named
from gateway.settings import GatewaySettings

_MOMENT = "2s"
"""In this time what most clients had under way when they were refused has arrived: 5 MiB on
loopback need more than 0.02 s and less than 0.5. A longer one would keep refused streams open."""
_FILTERS = "envoy.extensions.filters.http"


def listener(settings: GatewaySettings) -> Resource:
    late = named(
        "late",
        f"{_FILTERS}.fault.v3.HTTPFault",
        delay={"fixed_delay": _MOMENT, "percentage": {"numerator": 100}},
    )
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 204}}
    manager = named(
        "http",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=PAUSE,
        route_config={"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": [answer]}]},
        http_filters=[late, named("router", f"{_FILTERS}.router.v3.Router")],
    )
    return {
        "name": PAUSE,
        "address": _pipe(settings),
        "ignore_global_conn_limit": True,
        "bypass_overload_manager": True,
        "filter_chains": [{"filters": [manager]}],
    }


def cluster(settings: GatewaySettings) -> Resource:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _pipe(settings)}}]}]
    return {
        "name": PAUSE,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": PAUSE, "endpoints": endpoints},
    }


def _pipe(settings: GatewaySettings) -> Resource:
    return {"pipe": {"path": str(settings.edge_dir / "pause.sock"), "mode": 0o600}}
