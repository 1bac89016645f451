"""The public paths as Envoy routes: each names its realm, and only open ones go without a token."""

from typing import Any

from gateway.public_paths import PUBLIC_PATHS, PublicPath
from gateway.xds import Resource, typed

BODY_LIMIT = "bulkhead.body-limit"
JWT = "envoy.filters.http.jwt_authn"
LUA = "envoy.filters.http.lua"

_JWT_PER_ROUTE = "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"
_SWITCH = "envoy.config.route.v3.FilterConfig"
_TIMEOUT, _UPLOAD_TIMEOUT = "30s", "120s"


def render() -> Resource:
    routes = [_route(path) for path in PUBLIC_PATHS]
    return {
        "name": "public",
        "virtual_hosts": [{"name": "any", "domains": ["*"], "routes": [*routes, _nowhere()]}],
        "request_headers_to_add": [
            {
                "header": {
                    "key": "x-gw-client",
                    "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
                },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }


def _route(path: PublicPath) -> Resource:
    return {
        "name": path.name,
        "match": {"safe_regex": {"regex": path.regex()}},
        "route": {
            "cluster": path.upstream,
            "timeout": _UPLOAD_TIMEOUT if path.large else _TIMEOUT,
            "retry_policy": _only_what_no_upstream_has_seen(),
        },
        "metadata": _metadata(path.realm, path.token),
        "typed_per_filter_config": _per_filter(path),
    }


def _only_what_no_upstream_has_seen() -> Resource:
    """Such a retry is safe for every method, so there is one policy for all."""
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
    }


def _per_filter(path: PublicPath) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if not path.token:
        config[JWT] = typed(_JWT_PER_ROUTE, disabled=True)
    if path.large:
        config[BODY_LIMIT] = typed(_SWITCH, disabled=True)
    return config


def _nowhere() -> Resource:
    """Everything else, /internal too: the same 404 as for a thing that does not exist."""
    return {
        "name": "nowhere",
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "metadata": _metadata("public", token=False),
        "typed_per_filter_config": {JWT: typed(_JWT_PER_ROUTE, disabled=True)},
    }


def _metadata(realm: str, token: bool) -> Resource:
    return {"filter_metadata": {LUA: {"realm": realm, "token": token}}}
