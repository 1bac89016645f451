"""The HTTP of the edge, hardened: one meaning of a path, deadlines, and our own request ids."""

from gateway.envoy import access_log, http_filters, local_replies, route_table
from gateway.envoy.shapes import Resource, named
from gateway.settings import GatewaySettings


def _as(name: str, value: str) -> Resource:
    header = {"key": name, "value": value}
    return {"append": {"header": header, "append_action": "ADD_IF_ABSENT"}}


_STRIPPED = [
    {"remove_on_match": {"key_matcher": {"prefix": "x-gw-"}}},
    # Envoy would refuse an upgrade with the status of a refused address; head.lua names it.
    _as("x-gw-upgrade", "%REQ(UPGRADE)%"),
    {"remove": "upgrade"},
    # A trace begins here; what a client says of its own is a link, never a parent.
    _as("x-gw-client-trace", "%REQ(TRACEPARENT)%"),
    *({"remove": name} for name in ("traceparent", "tracestate", "baggage")),
    {"remove": "x-client-request-id"},
    _as("x-client-request-id", "%REQ(X-REQUEST-ID)%"),
]


def render(settings: GatewaySettings) -> Resource:
    return named(
        "http",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        server_name="bulkhead",
        always_set_request_id_in_response=True,
        use_remote_address=True,
        xff_num_trusted_hops=settings.trusted_hops,
        early_header_mutation_extensions=[_strip()],
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        # Four times what head.lua lets pass: it answers, where the codec of HTTP/2 only resets.
        max_request_headers_kb=128,
        request_headers_timeout="10s",
        # For uploads; what is small has arrived sooner (gateway/envoy/arrival.py).
        request_timeout="30s",
        stream_idle_timeout="60s",
        drain_timeout="5s",
        common_http_protocol_options={
            "idle_timeout": "60s",
            "max_headers_count": 200,
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http2_protocol_options={
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 1048576,
        },
        route_config=route_table.render(settings),
        local_reply_config=local_replies.render(),
        access_log=[access_log.render(settings)],
        http_filters=http_filters.render(settings),
    )


def _strip() -> Resource:
    """Before any filter and on every route: only the edge itself may say who somebody is, and it
    names requests itself; a client's own name for its request is kept beside it."""
    return named(
        "strip",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=_STRIPPED,
    )
