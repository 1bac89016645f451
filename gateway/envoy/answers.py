"""What every answer carries, which other origins may read it, and which are compressed."""

from gateway.envoy.shapes import Resource, named, typed
from gateway.settings import GatewaySettings
from kit.http.security_headers import SECURITY_HEADERS

_FILTERS = "envoy.extensions.filters.http"
_BY_ROUTE, _CORS, _COMPRESSION = "bulkhead.by-route", "bulkhead.cors", "bulkhead.compression"
_POLICY = "content-security-policy"
_HEADERS = {**SECURITY_HEADERS, "x-client-request-id": "%REQ(X-CLIENT-REQUEST-ID)%"}
_PER_ROUTE = f"{_FILTERS}.compressor.v3.CompressorPerRoute"
_LONG_ANSWERS = ("application/json", "application/x-ndjson", "text/csv")
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED = "authorization, content-type, if-match, if-none-match, x-request-id"
_TOLD = "etag, link, location, retry-after, x-client-request-id, x-request-id"


def headers(settings: GatewaySettings) -> Resource:
    """First in the chain, so that refusals carry them too."""
    security = [_header(name, value) for name, value in _HEADERS.items() if name != _POLICY]
    security.append(_header(_POLICY, SECURITY_HEADERS[_POLICY], "ADD_IF_ABSENT"))
    if settings.cors_origins:
        security.append(_header("vary", "origin", "APPEND_IF_EXISTS_OR_ADD"))
    return _mutating("bulkhead.security-headers", security)


def by_route() -> Resource:
    """After the request has its own route, which may say otherwise: nothing is kept that its
    service does not let be kept, and a browser loads nothing for it, whatever its service says."""
    mutations = [
        _header("cache-control", "no-store", "ADD_IF_ABSENT"),
        _header(_POLICY, SECURITY_HEADERS[_POLICY]),
    ]
    return _mutating(_BY_ROUTE, mutations)


def _mutating(name: str, mutations: list[Resource]) -> Resource:
    kind = f"{_FILTERS}.header_mutation.v3.HeaderMutation"
    return named(name, kind, mutations={"response_mutations": mutations})


def _header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Resource:
    return {"append": {"header": {"key": name, "value": value}, "append_action": action}}


def cors() -> Resource:
    """Does nothing where `sharing` names no origin."""
    return named(_CORS, f"{_FILTERS}.cors.v3.Cors")


def sharing(settings: GatewaySettings) -> dict[str, Resource]:
    """For the host: exact origins only. No credentials, because ours are not a browser's own."""
    if not settings.cors_origins:
        return {}
    policy = typed(
        f"{_FILTERS}.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in settings.cors_origins],
        allow_methods=_METHODS,
        allow_headers=_ASKED,
        expose_headers=_TOLD,
        max_age="600",
    )
    return {_CORS: policy}


def compression() -> Resource:
    """For routes that ask for it, and never for an answer with an ETag: Envoy would strip
    it, and a change that names it could not be made."""
    gzip = "envoy.extensions.compression.gzip.compressor.v3.Gzip"
    return named(
        _COMPRESSION,
        f"{_FILTERS}.compressor.v3.Compressor",
        compressor_library=named("gzip", gzip, compression_level="COMPRESSION_LEVEL_3"),
        response_direction_config={
            "common_config": {
                "min_content_length": 1024,
                "content_type_matcher": [{"prefix": kind} for kind in _LONG_ANSWERS],
            },
            "disable_on_etag_header": True,
        },
    )


def compressed() -> dict[str, Resource]:
    """A route with this compresses what it answers."""
    return {_COMPRESSION: typed(_PER_ROUTE, overrides={"response_direction_config": {}})}


def not_compressed() -> dict[str, Resource]:
    """For the host: what every route is that says nothing else."""
    return {_COMPRESSION: typed(_PER_ROUTE, disabled=True)}


def on_this_route(*, cacheable: bool, policy: str) -> dict[str, Resource]:
    """Not cached, whatever its service says, unless it is `cacheable`; a `policy` of its own."""
    mutations = []
    if not cacheable:
        mutations.append(_header("cache-control", "no-store"))
    if policy:
        mutations.append(_header(_POLICY, policy))
    kind = f"{_FILTERS}.header_mutation.v3.HeaderMutationPerRoute"
    own = typed(kind, mutations={"response_mutations": mutations})
    return {_BY_ROUTE: own} if mutations else {}
