"""The listener of the edge: TLS, a hardened HTTP connection manager, and the access log."""

from gateway import http_filters, local_replies, route_table
from gateway.settings import GatewaySettings
from gateway.xds import Resource, from_file, named, socket, typed

CERTIFICATE = "server"

_CIPHERS = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]
# The route's name and never the path, on purpose: a path may carry a token or a person's name.
_ACCESS_LOG = {
    "at": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "method": "%REQ(:METHOD)%",
    "route": "%ROUTE_NAME%",
    "status": "%RESPONSE_CODE%",
    "why": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "tenant": "%REQ(X-GW-TENANT)%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "protocol": "%PROTOCOL%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESPONSE_DURATION%",
}


def render(settings: GatewaySettings) -> Resource:
    return typed(
        "envoy.config.listener.v3.Listener",
        name="edge",
        address=socket(settings.edge_host, settings.edge_port),
        per_connection_buffer_limit_bytes=65536,
        filter_chains=[{"transport_socket": _tls(settings), "filters": [_manager(settings)]}],
    )


def certificate(settings: GatewaySettings) -> Resource:
    """The server's certificate by reference: the key stays in its own file."""
    return typed(
        "envoy.extensions.transport_sockets.tls.v3.Secret",
        name=CERTIFICATE,
        tls_certificate={
            "certificate_chain": {"filename": str(settings.certificate_file)},
            "private_key": {"filename": str(settings.certificate_key_file)},
        },
    )


def _tls(settings: GatewaySettings) -> Resource:
    source = from_file(settings.edge_dir / "sds.json")
    return named(
        "tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_2",
                "tls_maximum_protocol_version": "TLSv1_3",
                "cipher_suites": _CIPHERS,
            },
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [{"name": CERTIFICATE, "sds_config": source}],
        },
    )


def _manager(settings: GatewaySettings) -> Resource:
    return named(
        "http",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        server_name="bulkhead",
        always_set_request_id_in_response=True,
        use_remote_address=True,
        xff_num_trusted_hops=settings.trusted_hops,
        early_header_mutation_extensions=[_strip_identity()],
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        max_request_headers_kb=32,
        request_headers_timeout="10s",
        request_timeout="120s",
        stream_idle_timeout="60s",
        drain_timeout="5s",
        common_http_protocol_options={
            "idle_timeout": "60s",
            "max_headers_count": 64,
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http2_protocol_options={
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 1048576,
        },
        route_config=route_table.render(),
        local_reply_config=local_replies.render(),
        access_log=[_access_log(settings)],
        http_filters=http_filters.render(settings),
    )


def _strip_identity() -> Resource:
    """Before any filter and on every route: only the edge itself may say who somebody is."""
    return named(
        "strip-identity",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove_on_match": {"key_matcher": {"prefix": "x-gw-"}}}],
    )


def _access_log(settings: GatewaySettings) -> Resource:
    return named(
        "json",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path=str(settings.access_log),
        log_format={"json_format": _ACCESS_LOG},
    )
