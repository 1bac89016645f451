"""What Envoy itself answers, as RFC 9457 problems: the same documents that the services send."""

from http import HTTPStatus
from typing import Any

from gateway.problems import AddressRefused
from gateway.xds import Resource
from kit import problems
from kit.problems import Problem

_KNOWN: tuple[type[Problem], ...] = (
    problems.NotAuthenticated,
    AddressRefused,
    problems.NotFound,
    problems.RequestTimedOut,
    problems.BodyTooLarge,
    problems.TooManyRequests,
    problems.DependencyDown,
)
_PLAIN = (400, 426, 431, 500, 502, 504)
_RETRY_AFTER = {429: "1", 503: "1"}


def render() -> Resource:
    """Mappers for statuses from 400 on; a body format for all would rewrite good answers too."""
    known = [_mapper(p.status, f"/problems/{p.slug}", p.title()) for p in _KNOWN]
    plain = [_mapper(status, "about:blank", HTTPStatus(status).phrase) for status in _PLAIN]
    return {"mappers": [*known, *plain, _any_other()]}


def _mapper(status: int, kind: str, title: str) -> Resource:
    mapper: dict[str, Any] = _when("EQ", status) | _body(kind, title)
    if seconds := _RETRY_AFTER.get(status):
        mapper["headers_to_add"] = [
            {
                "header": {"key": "retry-after", "value": seconds},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ]
    return mapper


def _any_other() -> Resource:
    return _when("GE", 400) | _body("about:blank", "The edge refused the request")


def _when(comparison: str, status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"bulkhead.local_reply.{status}"}
    return {"filter": {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}}


def _body(kind: str, title: str) -> dict[str, Any]:
    return {
        "body_format_override": {
            "content_type": "application/problem+json",
            "json_format": {"type": kind, "title": title, "status": "%RESPONSE_CODE%"},
        }
    }
