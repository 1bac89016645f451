"""What Envoy itself answers, as RFC 9457 problems: the same documents that the services send, each
with a request id."""

from typing import Any

from gateway import problems as ours
from gateway.envoy.shapes import Resource, first_of, named
from kit import problems
from kit.http.security_headers import SECURITY_HEADERS
from kit.problems import Problem

# The sentence of our scripts, or Envoy's word for what it saw; neither ever holds the input.
_CAUSE = first_of(("DYNAMIC_METADATA", "bulkhead:why"), "RESPONSE_CODE_DETAILS")
_ID = first_of("STREAM_ID", "UNIQUE_ID")
_EXPLAINED: tuple[type[Problem], ...] = (
    ours.RequestMalformed,
    problems.MethodNotAllowed,
    problems.BodyTooLarge,
    ours.HeadersTooLarge,
)
_PLAIN: tuple[type[Problem], ...] = (
    ours.CallerAddressRefused,
    problems.NotFound,
    problems.RequestTimedOut,
    ours.HttpTooOld,
    problems.TooManyRequests,
    ours.AnswerMalformed,
    problems.DependencyDown,
    ours.AnswerTooLate,
)
_UNKNOWN_CODING = 501
_HEADERS = {
    405: {"allow": "DELETE, GET, HEAD, PATCH, POST, PUT"},
    429: {"retry-after": "1"},
    503: {"retry-after": "1"},
}
_WITHOUT_FILTERS = {"cache-control": "no-store", **SECURITY_HEADERS}


def render() -> Resource:
    """Mappers for statuses from 400 on; a body format for all would rewrite good answers too."""
    explained = [_mapper(p, p.status, detail=_CAUSE) for p in _EXPLAINED]
    token = _mapper(problems.NotAuthenticated, 401, detail="%LOCAL_REPLY_BODY%")
    plain = [_mapper(p, p.status) for p in _PLAIN]
    unknown_coding = _mapper(ours.RequestMalformed, _UNKNOWN_CODING, detail=_CAUSE) | {
        "status_code": 400
    }
    others = [
        _mapper(problems.Internal, 500, "GE"),
        _mapper(ours.RequestMalformed, 400, "GE", detail=_CAUSE),
    ]
    return {"mappers": [_full(), *explained, token, *plain, unknown_coding, *others]}


def _full() -> Resource:
    """Memory is short, or all connections to a service are taken: nothing is down.

    Where memory is short Envoy answers before the filters that would add what others carry.
    """
    busy = _mapper(problems.ServerBusy, problems.ServerBusy.status)
    added = [_fixed(name, value) for name, value in _WITHOUT_FILTERS.items()]
    busy["headers_to_add"] = [*added, *busy["headers_to_add"]]
    taken = {"response_flag_filter": {"flags": ["UO"]}}
    short = named(
        "cel",
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        expression='response.code_details == "overload"',
    )
    either = {"or_filter": {"filters": [taken, {"extension_filter": short}]}}
    return busy | {"filter": either}


def _mapper(
    problem: type[Problem], status: int, comparison: str = "EQ", **members: str
) -> Resource:
    value = {"default_value": status, "runtime_key": f"bulkhead.local_reply.{status}"}
    document: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title(),
        "status": "%RESPONSE_CODE%",
        **members,
    }
    return {
        "filter": {"status_code_filter": {"comparison": {"op": comparison, "value": value}}},
        "headers_to_add": _headers(status),
        "body_format_override": {
            "content_type": "application/problem+json",
            "json_format": document,
        },
    }


def _headers(status: int) -> list[Resource]:
    """The id of the request too: what is no HTTP is refused before Envoy has written it."""
    known = [_fixed(name, value) for name, value in _HEADERS.get(status, {}).items()]
    return [*known, _header("x-request-id", _ID, "ADD_IF_ABSENT")]


def _fixed(name: str, value: str) -> Resource:
    return _header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD")


def _header(name: str, value: str, action: str) -> Resource:
    return {"header": {"key": name, "value": value}, "append_action": action}
