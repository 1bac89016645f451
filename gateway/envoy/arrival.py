"""How requests arrive: what is small is here wholly before anything behind the edge hears of it, so
that slow bodies hold no connection of a service and a refusal finds a client that listens."""

from collections.abc import Mapping

from contracts.body_sizes import MOST_BODY, MOST_IDS, MOST_UPLOAD
from gateway.envoy.shapes import Resource, named, script, typed
from gateway.public_paths import PUBLIC_PATHS, Body

HEAD, BUFFER = "bulkhead.head", "bulkhead.buffer"
PAUSE = "pause"

_MOST: Mapping[Body, int] = {"small": MOST_BODY, "ids": MOST_IDS, "large": MOST_UPLOAD}
_FILTERS = "envoy.extensions.filters.http"
_WHOLE = "x-gw-whole"
_ARRIVES_WITHIN, _DRAINED_WITHIN = "10s", "30s"
_SWITCH = "envoy.config.route.v3.FilterConfig"
_NOT_WHOLE = {"name": _WHOLE, "present_match": True, "invert_match": True}
_DECLARED_TOO_LARGE = {
    "name": "content-length",
    "range_match": {"start": MOST_UPLOAD + 1, "end": 2**62},
}

INTERNAL_HEADERS = [_WHOLE]
"""What no service should see of it."""


def head() -> Resource:
    """The very first check, see head.lua."""
    return script(HEAD, "head.lua")


def buffer() -> list[Resource]:
    """Holds a small request until it is whole, then gives it its own route, see whole.lua."""
    size = named(BUFFER, f"{_FILTERS}.buffer.v3.Buffer", max_request_bytes=MOST_BODY)
    return [size, script("bulkhead.whole", "whole.lua")]


def large_limit() -> Resource:
    """For bodies that are passed on as they come."""
    name = "bulkhead.large-limit"
    return named(
        name, f"{_FILTERS}.body_size_limit.v3.BodySizeLimit", max_request_bytes=MOST_UPLOAD
    )


def not_held() -> dict[str, Resource]:
    """A route with this passes bodies on as they come."""
    return {BUFFER: typed(_SWITCH, disabled=True)}


def metadata(body: Body) -> Resource:
    """What head.lua and whole.lua read of a route: is its body passed on as it comes, how much of
    it is held before the rest is thrown away, and how much may it be."""
    most = {"large": body == "large", "held": _MOST[body], "most": _MOST[body]}
    return {HEAD: most, "bulkhead.whole": most}


def before_uploads() -> Resource:
    """The route of what says itself that it is too large even for an upload."""
    limits = {"large": False, "held": MOST_BODY, "most": MOST_UPLOAD}
    notes = {HEAD: limits, "bulkhead.whole": limits}
    return _nowhere_yet("too-large", _DECLARED_TOO_LARGE, _DRAINED_WITHIN, notes)


def before_all_others() -> list[Resource]:
    """The routes of a request that is still arriving: with ids where they are taken, and any."""
    ids = [_arriving("ids", path.regex()) for path in PUBLIC_PATHS if path.body == "ids"]
    return [*ids, _arriving("small")]


def _arriving(body: Body, regex: str | None = None) -> Resource:
    route = _nowhere_yet("arriving", _NOT_WHOLE, _ARRIVES_WITHIN, metadata(body))
    if regex is not None:
        longer = {"max_request_bytes": _MOST[body]}
        route["match"] = {"safe_regex": {"regex": regex}, "headers": [_NOT_WHOLE]}
        route["typed_per_filter_config"] = {
            BUFFER: typed(f"{_FILTERS}.buffer.v3.BufferPerRoute", buffer=longer)
        }
    return route


def _nowhere_yet(name: str, header: Resource, within: str, notes: Resource) -> Resource:
    """A route without a destination: the header that would name one is stripped from clients."""
    return {
        "name": name,
        "match": {"prefix": "/", "headers": [header]},
        "route": {
            "cluster_header": "x-gw-nowhere",
            "max_stream_duration": {"max_stream_duration": within},
        },
        "metadata": {"filter_metadata": notes},
    }
