"""The filter chain, in the order in which a request must satisfy it; the router is always last."""

from contracts.credentials import ACCESS_AUDIENCE
from gateway.envoy import answers, arrival
from gateway.envoy.route_table import JWT, LUA
from gateway.envoy.shapes import Resource, from_file, named, script
from gateway.settings import GatewaySettings

GLOBAL_LIST, TENANT_LIST = "global-allow", "tenant-allow"

_FILTERS = "envoy.extensions.filters.http"
_RBAC = f"type.googleapis.com/{_FILTERS}.rbac.v3.RBAC"


def render(settings: GatewaySettings) -> list[Resource]:
    return [
        answers.headers(settings),
        arrival.head(),
        _list(GLOBAL_LIST, settings),
        *_client_limit(settings),
        answers.cors(),
        *arrival.buffer(),
        answers.by_route(),
        _tokens(settings),
        script(LUA, "tenant.lua"),
        _list(TENANT_LIST, settings),
        _limit(
            "tenant-limit",
            settings.tenant_requests_per_s,
            {"request_headers": {"header_name": "x-gw-share", "descriptor_key": "tenant"}},
            key="tenant",
        ),
        arrival.large_limit(),
        answers.compression(),
        named("router", f"{_FILTERS}.router.v3.Router", suppress_envoy_headers=True),
    ]


def _client_limit(settings: GatewaySettings) -> list[Resource]:
    """None where something in front hides the callers: all would share one bucket, and one of them
    could keep out the others."""
    if settings.callers_hidden:
        return []
    address = {"masked_remote_address": {"v6_prefix_mask_len": 64}}
    rate = settings.client_requests_per_s
    return [_limit("client-limit", rate, address, key="masked_remote_address")]


def _list(name: str, settings: GatewaySettings) -> Resource:
    """An address list from its own file: a change of it drains no connection."""
    return {
        "name": name,
        "config_discovery": {
            "config_source": from_file(settings.edge_dir / f"{name}.pb"),
            "type_urls": [_RBAC],
        },
    }


def _limit(name: str, per_s: int, action: Resource, *, key: str) -> Resource:
    """One token bucket per value that `action` finds, in each Envoy."""
    bucket = {"max_tokens": per_s, "tokens_per_fill": per_s, "fill_interval": "1s"}
    everywhere = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return named(
        name,
        f"{_FILTERS}.local_ratelimit.v3.LocalRateLimit",
        stat_prefix=name,
        filter_enabled=everywhere,
        filter_enforced=everywhere,
        descriptors=[{"entries": [{"key": key}], "token_bucket": bucket}],
        rate_limits=[{"actions": [action]}],
        max_dynamic_descriptors=20000,
        always_consume_default_token_bucket=False,
    )


def _tokens(settings: GatewaySettings) -> Resource:
    """Required everywhere but on routes that say otherwise. No cache of verdicts, on purpose: a
    cached token outlives the key that signed it."""
    provider = {
        "issuer": settings.issuer,
        "audiences": [ACCESS_AUDIENCE],
        "require_expiration": True,
        "clock_skew_seconds": 5,
        "forward": True,
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "claim_to_headers": [
            {"header_name": "x-gw-token-tenant", "claim_name": "tid"},
            {"header_name": "x-gw-realm", "claim_name": "rlm"},
            {"header_name": "x-gw-subject", "claim_name": "sub"},
        ],
        "remote_jwks": {
            "http_uri": {
                "uri": "http://auth/.well-known/jwks.json",
                "cluster": "auth",
                "timeout": "2s",
            },
            "cache_duration": f"{settings.keys_refreshed_every_s}s",
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }
    return named(
        JWT,
        f"{_FILTERS}.jwt_authn.v3.JwtAuthentication",
        providers={"bulkhead": provider},
        rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "bulkhead"}}],
    )
