"""The access log of the edge: a JSON line for every request, with the network it came from."""

from gateway.envoy.shapes import Resource, first_of, named
from gateway.settings import GatewaySettings

# head.lua knows both families; what is no HTTP has not come so far, and is cut to /24.
_NETWORK = first_of(
    ("DYNAMIC_METADATA", "bulkhead:network"), ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "24")
)
# The route's name and never the path, on purpose: a path may carry a token or a person's name.
# The network and never the address: /24 and /48 are enough to refuse, not to tell a person.
_LINE = {
    "at": "%START_TIME%",
    "request_id": first_of(("RESP", "x-request-id"), "STREAM_ID"),
    "client_request_id": "%REQ(X-CLIENT-REQUEST-ID)%",
    "network": _NETWORK,
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
_HIDDEN = _LINE | {"network": "hidden"}


def render(settings: GatewaySettings) -> Resource:
    line = _HIDDEN if settings.callers_hidden else _LINE
    return named(
        "json",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path=str(settings.access_log),
        log_format={"json_format": line},
    )
