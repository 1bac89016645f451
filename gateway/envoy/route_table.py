"""The public paths as Envoy routes: each names its realm, and only open ones go without a token."""

from gateway.envoy import answers, arrival
from gateway.envoy.shapes import Resource, typed
from gateway.public_paths import PUBLIC_PATHS, Body, PublicPath
from gateway.settings import GatewaySettings

JWT = "envoy.filters.http.jwt_authn"
LUA = "envoy.filters.http.lua"

_JWT_PER_ROUTE = "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"
_ANSWERS_WITHIN_S, _UPLOAD_ANSWERS_WITHIN_S = 30, 120
_CALLER = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"


def render(settings: GatewaySettings) -> Resource:
    """Uploads pass as they come; everything else first arrives, and then has its own route."""
    uploads = [_route(path) for path in PUBLIC_PATHS if path.large]
    others = [_route(path) for path in PUBLIC_PATHS if not path.large]
    host = {
        "name": "any",
        "domains": ["*"],
        "routes": [
            arrival.before_uploads(),
            *uploads,
            *arrival.before_all_others(),
            *others,
            _nowhere(),
        ],
        "typed_per_filter_config": answers.not_compressed() | answers.sharing(settings),
    }
    return {
        "name": "public",
        "virtual_hosts": [host],
        "request_headers_to_remove": arrival.INTERNAL_HEADERS,
        "request_headers_to_add": _caller(settings),
    }


def _caller(settings: GatewaySettings) -> list[Resource]:
    """`x-gw-client` is the address that the lists see; `x-gw-address` is the caller's, and is
    absent where something in front hides it."""
    names = ["x-gw-client"] if settings.callers_hidden else ["x-gw-client", "x-gw-address"]
    return [
        {
            "header": {"key": name, "value": _CALLER},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
        for name in names
    ]


def _route(path: PublicPath) -> Resource:
    within_s = _UPLOAD_ANSWERS_WITHIN_S if path.large else _ANSWERS_WITHIN_S
    return {
        "name": path.name,
        "match": {"safe_regex": {"regex": path.regex()}},
        "route": {
            "cluster": path.cluster,
            "timeout": f"{within_s}s",
            "idle_timeout": f"{within_s + 5}s",
            "retry_policy": _only_what_no_upstream_has_seen(),
        },
        "metadata": _metadata(path.realm, token=path.token, body=path.body),
        "typed_per_filter_config": _per_filter(path),
    }


def _only_what_no_upstream_has_seen() -> Resource:
    """Such a retry is safe for every method, so there is one policy for all."""
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
    }


def _per_filter(path: PublicPath) -> Resource:
    config: Resource = {}
    if not path.token:
        config |= _open()
    if path.large:
        config |= arrival.not_held()
    if path.compressed:
        config |= answers.compressed()
    return config | answers.on_this_route(cacheable=path.cacheable, policy=path.policy)


def _open() -> Resource:
    return {JWT: typed(_JWT_PER_ROUTE, disabled=True)}


def _nowhere() -> Resource:
    """Everything else, /internal too: the same 404 as for a thing that does not exist."""
    return {
        "name": "nowhere",
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "metadata": _metadata("public", token=False, body="small"),
        "typed_per_filter_config": _open(),
    }


def _metadata(realm: str, *, token: bool, body: Body) -> Resource:
    notes = {LUA: {"realm": realm, "token": token}, **arrival.metadata(body)}
    return {"filter_metadata": notes}
