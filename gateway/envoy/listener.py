"""The listeners of the edge: TLS, whose word on addresses counts, how many connections."""

from collections.abc import Sequence

from gateway.envoy import http_connection
from gateway.envoy.shapes import Resource, from_file, named, socket, typed
from gateway.settings import GatewaySettings

CERTIFICATE = "server"

_CIPHERS = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]


def render(settings: GatewaySettings) -> list[Resource]:
    """One for callers who come themselves or through a proxy that speaks HTTP, and one for load
    balancers that speak the PROXY protocol, where there are such."""
    direct = _listener("edge", settings, settings.edge_port, [])
    if not settings.proxied_ranges:
        return [direct]
    proxied = _listener(
        "edge-proxied", settings, settings.edge_proxied_port, settings.proxied_ranges
    )
    return [direct, proxied | {"listener_filters": [_proxy_protocol()]}]


def _listener(name: str, settings: GatewaySettings, port: int, peers: Sequence[str]) -> Resource:
    return typed(
        "envoy.config.listener.v3.Listener",
        name=name,
        address=socket(settings.edge_host, port),
        per_connection_buffer_limit_bytes=262144,
        listener_filters_timeout="5s",
        filter_chains=_chains(settings, peers),
    )


def _chains(settings: GatewaySettings, peers: Sequence[str]) -> list[Resource]:
    """The chain of the reserved addresses does not count against the limit of all others. Whoever
    matches none is turned away: a PROXY header counts only from a named peer."""
    trusted = {"direct_source_prefix_ranges": _cidrs(peers)} if peers else {}
    everybody = _chain("everybody", settings, trusted, [_most_connections(settings)])
    if not settings.reserved_ranges:
        return [everybody]
    reserved = trusted | {"source_prefix_ranges": _cidrs(settings.reserved_ranges)}
    return [_chain("reserved", settings, reserved, []), everybody]


def _chain(
    name: str, settings: GatewaySettings, match: Resource, filters: list[Resource]
) -> Resource:
    chain = {
        "name": name,
        "transport_socket_connect_timeout": "5s",
        "transport_socket": _tls(settings),
        "filters": [*filters, http_connection.render(settings)],
    }
    return chain | ({"filter_chain_match": match} if match else {})


def _most_connections(settings: GatewaySettings) -> Resource:
    """Below the limit of all, which the reserved addresses reach."""
    return named(
        "most-connections",
        "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
        stat_prefix="everybody",
        max_connections=settings.max_connections - settings.reserved_connections,
    )


def _proxy_protocol() -> Resource:
    """Version 2 and never without: a connection that does not say whose it is, is closed."""
    return named(
        "proxy-protocol",
        "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        disallowed_versions=["V1"],
    )


def _cidrs(ranges: Sequence[str]) -> list[Resource]:
    pairs = (text.split("/") for text in ranges)
    return [{"address_prefix": prefix, "prefix_len": int(length)} for prefix, length in pairs]


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
